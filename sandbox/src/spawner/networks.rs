//! The empty network namespaces of slots that have no network: one for each index, made once.
//!
//! Making one and having it taken apart costs half a millisecond of processor time, more than the rest of a
//! slot's namespaces together. Nothing a program does could change one: it has no capability and no
//! `socket` call. So the next slot of the same index finds it as the one before did; two slots that
//! exist at the same time never share one. See `docs/decisions/0042-kept-network-namespaces.md`.

use std::{fs::File, io, os::fd::OwnedFd};

use rustix::thread::UnshareFlags;

use crate::{image::Profile, protocol::Setup, sys};

/// By slot index. None for the profiles whose slots make their own: in those a program may open sockets.
pub(super) fn make(setup: &Setup) -> io::Result<Vec<OwnedFd>> {
    match setup.image.profile {
        Profile::Function => (0..setup.slots).map(|_| make_one()).collect(),
        Profile::Build | Profile::Networked => Ok(Vec::new()),
    }
}

/// Leaves this process in it, which enters one of its own when it seals itself.
fn make_one() -> io::Result<OwnedFd> {
    sys::unshare(UnshareFlags::NEWNET)?;
    Ok(File::open("/proc/self/ns/net")?.into())
}
