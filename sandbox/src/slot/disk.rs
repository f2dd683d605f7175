//! The slot's own file system: a tmpfs with a quota, what is laid out in it, what is taken out.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufReader, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, chown},
    },
    path::Path,
};

use rustix::{
    fs::{FileType, Mode, OFlags, ResolveFlags, fstat, fstatvfs, open, openat2},
    mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount},
};

use crate::{
    image::{HOME_DIR, Overlay, Profile, TMP_DIR, WORK_DIR},
    memory_file,
    program::{DiskSize, InputFile},
    protocol::CollectRequest,
    spawner::SLOT_DIR,
};

/// A handle that tells whether the slot's disk is full.
pub(super) struct Disk(OwnedFd);

impl Disk {
    /// True when not one more block, or not one more file, fits.
    pub(super) fn is_full(&self) -> bool {
        fstatvfs(&self.0).is_ok_and(|disk| disk.f_bfree == 0 || disk.f_ffree == 0)
    }
}

/// Mounts the slot's disk with its quota, in a build also the rest.
pub(super) fn mount_disk(
    profile: Profile,
    uid: u32,
    size: DiskSize,
    overlays: &[Overlay],
) -> io::Result<Disk> {
    let quota = format!("size={},nr_inodes={},mode=700", size.bytes, size.inodes);
    match profile {
        Profile::Function | Profile::Networked => {
            mount_tmpfs(TMP_DIR, flags(profile), &format!("{quota},uid={uid},gid={uid}\0"))?;
        }
        Profile::Build => mount_build(uid, &format!("{quota}\0"), overlays)?,
    }
    Ok(Disk(open(TMP_DIR, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?))
}

fn flags(profile: Profile) -> MountFlags {
    let always = MountFlags::NOSUID | MountFlags::NODEV;
    match profile {
        Profile::Function | Profile::Networked => always | MountFlags::NOEXEC,
        // Build scripts are compiled and then run.
        Profile::Build => always,
    }
}

fn mount_tmpfs(target: &str, flags: MountFlags, options: &str) -> io::Result<()> {
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes())
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(mount("tmpfs", target, "tmpfs", flags, options)?)
}

/// One tmpfs, so that one quota covers all of it, seen at several places.
fn mount_build(uid: u32, options: &str, overlays: &[Overlay]) -> io::Result<()> {
    mount_tmpfs(SLOT_DIR, flags(Profile::Build), options)?;
    for place in [WORK_DIR, HOME_DIR, TMP_DIR] {
        let part = format!("{SLOT_DIR}{place}");
        make_owned(&part, uid)?;
        mount_bind(part.as_str(), place)?;
    }
    for (number, overlay) in overlays.iter().enumerate() {
        mount_overlay(number, overlay, uid)?;
    }
    // Only the parts stay visible.
    unmount(SLOT_DIR, UnmountFlags::DETACH)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Own processes only, and none of the kernel's files: compilers look for themselves there.
    Ok(mount("proc", "/proc", "proc", flags, c"hidepid=invisible,subset=pid")?)
}

fn mount_overlay(number: usize, overlay: &Overlay, uid: u32) -> io::Result<()> {
    let (upper, work) = (format!("{SLOT_DIR}/upper-{number}"), format!("{SLOT_DIR}/over-{number}"));
    make_owned(&upper, uid)?;
    make_owned(&work, uid)?;
    let options = format!("lowerdir={},upperdir={upper},workdir={work}\0", overlay.lower.display());
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes())
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(mount("overlay", &overlay.target, "overlay", flags(Profile::Build), options)?)
}

fn make_owned(path: &str, uid: u32) -> io::Result<()> {
    DirBuilder::new().mode(0o755).create(path)?;
    chown(path, Some(uid), Some(uid))
}

/// Packs files for `lay_out` into a sealed memory file: for each, the lengths of path and content
/// (u32, u64, native order), then both.
pub(crate) fn pack_files(files: &[InputFile]) -> io::Result<OwnedFd> {
    memory_file::sealed(|pack| files.iter().try_for_each(|file| pack_file(pack, file)))
}

fn pack_file(pack: &mut File, file: &InputFile) -> io::Result<()> {
    let path_length = u32::try_from(file.path.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut head = path_length.to_ne_bytes().to_vec();
    head.extend((file.content.len() as u64).to_ne_bytes());
    head.extend(file.path.as_bytes());
    pack.write_all(&head)?;
    pack.write_all(&file.content)
}

/// Writes packed files below the working directory, already without any privilege.
pub(super) fn lay_out(pack: OwnedFd) -> io::Result<()> {
    let mut pack = BufReader::new(File::from(pack));
    while let Some((path, length)) = next_head(&mut pack)? {
        let path = Path::new(&path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create_new(path)?;
        let copied = io::copy(&mut pack.by_ref().take(length), &mut file)?;
        if copied != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// None at the end.
fn next_head(pack: &mut impl Read) -> io::Result<Option<(String, u64)>> {
    let mut path_length = [0; 4];
    match pack.read_exact(&mut path_length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut content_length = [0; 8];
    pack.read_exact(&mut content_length)?;
    // A length that lies must not make us reserve what it says.
    let mut path = String::new();
    let path_length = u64::from(u32::from_ne_bytes(path_length));
    if pack.by_ref().take(path_length).read_to_string(&mut path)? as u64 != path_length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((path, u64::from_ne_bytes(content_length))))
}

/// Opens the asked-for file when it is what was asked for. By now nobody else is alive in the slot,
/// but everything that lies there is still hostile.
pub(super) fn collect(request: &CollectRequest) -> Option<OwnedFd> {
    let work = open(WORK_DIR, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    // NONBLOCK: a fifo must not hold us up.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let file = openat2(work, request.path.as_str(), flags, Mode::empty(), resolve).ok()?;
    let stat = fstat(&file).ok()?;
    let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let fits = u64::try_from(stat.st_size).is_ok_and(|size| size <= request.max_bytes);
    (is_regular && stat.st_nlink == 1 && fits).then_some(file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_unpacker_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = bytes.as_slice();
            while let Ok(Some((_, length))) = next_head(&mut rest) {
                rest = rest.get(usize::try_from(length).unwrap_or(usize::MAX)..).unwrap_or_default();
            }
        }

        #[test]
        fn what_is_packed_is_found_again(path in "[a-z/]{1,40}", content: Vec<u8>) {
            let pack = pack_files(&[InputFile { path: path.clone(), content: content.clone() }]);
            let mut pack = BufReader::new(File::from(pack.expect("packed")));
            let head = next_head(&mut pack).expect("a head");
            prop_assert_eq!(head, Some((path, content.len() as u64)));
            let mut rest = Vec::new();
            pack.read_to_end(&mut rest).expect("content");
            prop_assert_eq!(rest, content);
        }
    }
}
