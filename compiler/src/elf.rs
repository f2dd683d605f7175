//! Looks at the header of what a build left behind. Reads bytes only; the file came out of a
//! stranger's build and is never handed to a tool.

const HEADER_BYTES: usize = 64;
const PROGRAM_HEADER_BYTES: usize = 56;
const EXECUTABLE: u16 = 2;
const SHARED_OR_STATIC_PIE: u16 = 3;
const X86_64: u16 = 62;
const SEGMENT_INTERPRETER: u32 = 3;

/// Why a file is not a static native binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotABinary {
    /// Shorter than the header, or other magic bytes.
    #[error("it is not an ELF file")]
    NotElf,
    /// 32 bit, big-endian, or for another processor.
    #[error("it is not for 64-bit x86")]
    OtherMachine,
    /// An object file, a core dump.
    #[error("it is not an executable")]
    NotExecutable,
    /// It names a dynamic loader, which does not exist where functions run.
    #[error("it needs a dynamic loader, and functions must be static")]
    Dynamic,
    /// The program headers lie outside the file.
    #[error("its program headers are damaged")]
    Damaged,
}

/// Accepts ELF64, x86-64, executable or static-pie, without an interpreter.
pub(crate) fn check(file: &[u8]) -> Result<(), NotABinary> {
    if file.len() < HEADER_BYTES || !file.starts_with(b"\x7fELF") {
        return Err(NotABinary::NotElf);
    }
    let is_64_bit_little_endian = file[4] == 2 && file[5] == 1;
    if !is_64_bit_little_endian || u16_at(file, 18) != Some(X86_64) {
        return Err(NotABinary::OtherMachine);
    }
    if !matches!(u16_at(file, 16), Some(EXECUTABLE | SHARED_OR_STATIC_PIE)) {
        return Err(NotABinary::NotExecutable);
    }
    check_segments(file)
}

fn check_segments(file: &[u8]) -> Result<(), NotABinary> {
    let start = u64_at(file, 32).ok_or(NotABinary::Damaged)?;
    let entry_bytes = u16_at(file, 54).map(usize::from).ok_or(NotABinary::Damaged)?;
    let count = u16_at(file, 56).ok_or(NotABinary::Damaged)?;
    if count == 0 || entry_bytes != PROGRAM_HEADER_BYTES {
        return Err(NotABinary::Damaged);
    }
    let start = usize::try_from(start).map_err(|_| NotABinary::Damaged)?;
    for index in 0..usize::from(count) {
        let at = start.checked_add(index * entry_bytes).ok_or(NotABinary::Damaged)?;
        match u32_at(file, at) {
            Some(SEGMENT_INTERPRETER) => return Err(NotABinary::Dynamic),
            Some(_) => {}
            None => return Err(NotABinary::Damaged),
        }
    }
    Ok(())
}

fn bytes_at<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    bytes_at(file, at).map(u16::from_le_bytes)
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    bytes_at(file, at).map(u32::from_le_bytes)
}

fn u64_at(file: &[u8], at: usize) -> Option<u64> {
    bytes_at(file, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn static_binary() -> Vec<u8> {
        let mut file = vec![0; HEADER_BYTES + PROGRAM_HEADER_BYTES];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16] = 2;
        file[18] = 62;
        file[32] = 64;
        file[54] = 56;
        file[56] = 1;
        file[64] = 1;
        file
    }

    fn changed(at: usize, value: u8) -> Vec<u8> {
        let mut file = static_binary();
        file[at] = value;
        file
    }

    #[test]
    fn a_static_binary_is_accepted() {
        assert_eq!(check(&static_binary()), Ok(()));
        assert_eq!(check(&changed(16, 3)), Ok(()));
    }

    #[test]
    fn everything_else_is_refused() {
        let cases = [
            (b"#!/bin/sh\n".to_vec(), NotABinary::NotElf),
            (Vec::new(), NotABinary::NotElf),
            (static_binary()[..63].to_vec(), NotABinary::NotElf),
            (changed(4, 1), NotABinary::OtherMachine),
            (changed(18, 183), NotABinary::OtherMachine),
            (changed(16, 1), NotABinary::NotExecutable),
            (changed(64, 3), NotABinary::Dynamic),
            (changed(56, 9), NotABinary::Damaged),
            (changed(56, 0), NotABinary::Damaged),
            (changed(39, 255), NotABinary::Damaged),
            (changed(54, 1), NotABinary::Damaged),
        ];
        for (file, reason) in cases {
            assert_eq!(check(&file), Err(reason));
        }
    }

    #[test]
    fn the_running_test_is_a_dynamic_binary() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(check(&own), Err(NotABinary::Dynamic));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut file in proptest::collection::vec(proptest::num::u8::ANY, 64..200)) {
            file[..6].copy_from_slice(b"\x7fELF\x02\x01");
            let _ = check(&file);
            file[16] = 2;
            file[17] = 0;
            file[18] = 62;
            file[19] = 0;
            let _ = check(&file);
        }
    }
}
