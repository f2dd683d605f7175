//! The warden: starts spawners for a worker that has given up the rights to do so itself.
//!
//! It is this binary executed again, before the worker has a thread or has read a secret: one socket, and
//! nothing in its environment but a setting of its allocator. All it takes from there is a socket to hand to a new spawner. It names no
//! file but its own, parses nothing, and ends with its worker.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    process::Child,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, pidfd_open},
    thread::CapabilitySet,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::errno_of,
    slot::keep_only,
    spawner::{self, SPAWNER_NAME},
    wire::{self, Packet},
};

/// What `argv[0]` says when the binary is to serve as a warden.
pub(crate) const WARDEN_NAME: &str = "apprun-warden";

/// What a worker needs once a warden starts its spawners: to end slots, whose processes are other
/// users', and to fill the compilers' caches, whose files belong to the user that a warm-up runs as.
const KEPT: CapabilitySet = CapabilitySet::KILL
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::DAC_OVERRIDE);

/// The worker's end of its warden. Clones share it; when the last is gone, the warden ends.
#[derive(Debug, Clone)]
pub struct Warden {
    /// One question at a time: a lock around sending and receiving.
    socket: Arc<Mutex<OwnedFd>>,
}

/// From worker to warden. Descriptor: what the spawner is served through.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    StartSpawner,
}

/// The answer: a process id, or why there is none. Descriptor: of that process.
type Started = Result<u32, i32>;

impl Warden {
    /// Starts a warden with the rights of this process, then gives up those that are only needed to
    /// start spawners, for good. Call it while the process has one thread: rights belong to threads,
    /// and those started later inherit what is left.
    pub fn take_over() -> io::Result<Warden> {
        let (ours, theirs) = wire::pair()?;
        spawner::execute_own(WARDEN_NAME, theirs)?;
        keep_only(KEPT)?;
        Ok(Warden { socket: Arc::new(Mutex::new(ours)) })
    }

    /// Has a spawner started that is served through `socket`: its process id and a descriptor of it.
    pub(crate) fn start_spawner(&self, socket: OwnedFd) -> io::Result<(u32, OwnedFd)> {
        let ours = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&*ours, &Ask::StartSpawner, &[socket.as_fd()])?;
        let answer = wire::receive_small::<Started>(&*ours)?;
        let Packet { message, fds } = answer.ok_or(io::ErrorKind::BrokenPipe)?;
        let pid = message.map_err(io::Error::from_raw_os_error)?;
        Ok((pid, fds.into_iter().next().ok_or(io::ErrorKind::InvalidData)?))
    }
}

/// Starts and reaps spawners until the worker is gone.
pub(crate) fn serve(control: &OwnedFd) -> io::Result<()> {
    let mut spawners: Vec<(Child, OwnedFd)> = Vec::new();
    loop {
        let asked = wait_for_anything(control, &spawners)?;
        // Taken out of the table of processes as soon as it has ended.
        spawners.retain_mut(|(child, _)| matches!(child.try_wait(), Ok(None)));
        if !asked {
            continue;
        }
        let Some(packet) = wire::receive_small::<Ask>(control)? else { return Ok(()) };
        let socket = packet.fds.into_iter().next().ok_or(io::ErrorKind::InvalidData)?;
        match start(socket) {
            Ok((child, pidfd)) => {
                wire::send(control, &Started::Ok(child.id()), &[pidfd.as_fd()])?;
                spawners.push((child, pidfd));
            }
            Err(error) => wire::send(control, &Started::Err(errno_of(&error)), &[])?,
        }
    }
}

/// True when the worker asked for something or has gone, false when a spawner has ended.
fn wait_for_anything(control: &OwnedFd, spawners: &[(Child, OwnedFd)]) -> io::Result<bool> {
    let mut fds = vec![PollFd::new(control, PollFlags::IN)];
    fds.extend(spawners.iter().map(|(_, pidfd)| PollFd::new(pidfd, PollFlags::IN)));
    match poll(&mut fds, None) {
        Ok(_) => Ok(!fds[0].revents().is_empty()),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn start(socket: OwnedFd) -> io::Result<(Child, OwnedFd)> {
    let child = spawner::execute_own(SPAWNER_NAME, socket)?;
    // Our child, and not reaped yet: the number still means it.
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pidfd = pidfd_open(pid.ok_or(io::ErrorKind::InvalidData)?, PidfdFlags::empty())?;
    Ok((child, pidfd))
}
