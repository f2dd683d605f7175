//! Files in memory that nobody can change once they are handed over. Unlike a pipe they never block.

use std::{
    fs::File,
    io::{self, Seek},
    os::fd::OwnedFd,
};

use rustix::{
    fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create},
    io::Errno,
};

/// Makes a file, lets `fill` write it, and seals it with the position back at the start.
pub(crate) fn sealed(fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<OwnedFd> {
    let mut file = File::from(create()?);
    fill(&mut file)?;
    file.rewind()?;
    let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, all)?;
    Ok(file.into())
}

fn create() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Not executable either, where the kernel knows how: Linux 6.3.
    match memfd_create("sealed", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => {
            let file = memfd_create("sealed", flags)?;
            fchmod(&file, Mode::RUSR | Mode::WUSR)?;
            Ok(file)
        }
        other => Ok(other?),
    }
}
