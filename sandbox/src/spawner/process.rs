//! The worker's hold on the process of its spawner, whoever its parent is.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    process::Child,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::{io::Interest, time::timeout};

use super::start::{SPAWNER_NAME, execute, execute_own};
use crate::{sys, warden::Warden};

/// How long a spawner may take to end: it kills and removes every slot first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who executes the binary that serves as spawner.
#[derive(Debug, Clone, Default)]
pub enum Launcher {
    /// This process, its own binary.
    #[default]
    Direct,
    /// A warden, because this process may not any more.
    Warden(Warden),
    /// For tests: this process, another binary.
    #[doc(hidden)]
    Other(PathBuf),
}

/// A spawner that was started.
pub(crate) struct SpawnerProcess {
    pub(crate) pid: u32,
    pidfd: OwnedFd,
    /// None for a warden's child.
    child: Option<Child>,
}

impl Launcher {
    /// Starts a spawner that is served through `socket`.
    pub(crate) fn start(&self, socket: OwnedFd) -> io::Result<SpawnerProcess> {
        let child = match self {
            Launcher::Warden(warden) => {
                let (pid, pidfd) = warden.start_spawner(socket)?;
                return Ok(SpawnerProcess { pid, pidfd, child: None });
            }
            Launcher::Direct => execute_own(SPAWNER_NAME, socket)?,
            Launcher::Other(binary) => execute(binary, SPAWNER_NAME, socket)?,
        };
        // Our child, and not reaped yet: the number still means it.
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pidfd = pidfd_open(pid.ok_or(io::ErrorKind::InvalidData)?, PidfdFlags::empty())?;
        Ok(SpawnerProcess { pid: child.id(), pidfd, child: Some(child) })
    }
}

impl SpawnerProcess {
    /// Kills it. Being dead already is no failure.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// Waits until it has ended, and reaps it. One that does not go is killed.
    pub(crate) async fn reap(mut self) {
        let watched = self.pidfd.as_fd().try_clone_to_owned();
        if let Ok(Ok(pidfd)) = watched.map(|fd| sys::watched(fd, Interest::READABLE))
            && timeout(PATIENCE, pidfd.readable()).await.is_err()
        {
            self.kill();
        }
        let _ = self.child.as_mut().map(Child::wait);
    }
}
