//! Who runs Postgres. It refuses to be root, so root runs it as the system user `postgres`, which
//! every distribution's package creates, and without the package as `nobody`. Everybody else runs
//! it as themselves.

use std::{fs::File, os::unix::fs::fchown, os::unix::process::CommandExt, process::Command};

use nix::unistd::{User, geteuid};

use super::EmbeddedError;

/// The user of the server's processes and files; `None` is whoever runs apprun.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerUser(Option<(u32, u32)>);

impl ServerUser {
    pub(super) fn choose() -> Result<Self, EmbeddedError> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let by_name = |name| User::from_name(name).ok().flatten();
        let user =
            by_name("postgres").or_else(|| by_name("nobody")).ok_or(EmbeddedError::NoUser)?;
        Ok(Self(Some((user.uid.as_raw(), user.gid.as_raw()))))
    }

    /// Makes `command` run as this user, with no supplementary groups.
    pub(super) fn run(self, command: &mut Command) {
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or directory to this user.
    pub(super) fn own(self, file: &File) -> std::io::Result<()> {
        match self.0 {
            Some((uid, gid)) => fchown(file, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}
