//! What a killed run may have left in the data directory: a server that still runs, and files that
//! say so of one that does not. Only a server that is provably ours is stopped.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::EmbeddedError;

/// How long a server may take for a fast stop before its recovery is left to the next start.
const STOP_LIMIT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Stops a server of ours that outlived its apprun and removes stale files. Blocks for a few
/// seconds at most. The caller holds the lock on the data directory, so no other apprun is about.
pub(super) fn clean_up(data_dir: &Path) -> Result<(), EmbeddedError> {
    let pid_file = data_dir.join("postmaster.pid");
    if let Some(pid) = first_line_number(&pid_file)
        && is_server_in(pid, data_dir)
    {
        if !was_started_by_us(pid) {
            return Err(EmbeddedError::InUse { pid, data_dir: data_dir.to_owned() });
        }
        tracing::warn!(pid, "stopping the PostgreSQL that a killed run left behind");
        stop(pid, data_dir);
    }
    for stale in ["postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock"] {
        let _ = std::fs::remove_file(data_dir.join(stale));
    }
    Ok(())
}

fn first_line_number(pid_file: &Path) -> Option<i32> {
    std::fs::read_to_string(pid_file).ok()?.lines().next()?.trim().parse().ok()
}

/// A server's working directory is its data directory. Compared as inodes: the process id may since
/// have been given to anything.
fn is_server_in(pid: i32, data_dir: &Path) -> bool {
    let inode = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let working_dir = inode(Path::new(&format!("/proc/{pid}/cwd")));
    working_dir.is_some() && working_dir == inode(data_dir)
}

/// Our servers, and only they, have their directory handed over as an open file.
fn was_started_by_us(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.windows(15).any(|part| part == b"/proc/self/fd/7"))
}

fn stop(pid: i32, data_dir: &Path) {
    let ask = |signal| {
        // Failing means that it is gone, which is what is wanted.
        let _ = kill(Pid::from_raw(pid), signal);
    };
    ask(Signal::SIGINT);
    let quit_at = Instant::now() + STOP_LIMIT;
    while is_server_in(pid, data_dir) {
        if Instant::now() > quit_at {
            ask(Signal::SIGQUIT);
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}
