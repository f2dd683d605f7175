//! Takes away the groups of an instance that died without doing so itself.

use std::{
    fs, io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// A killed tree of processes is gone in milliseconds; this is for a very busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills whatever still runs below `group` and removes it. Fine when it does not exist.
pub(crate) fn sweep(group: &Path) -> io::Result<()> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        kill_below(group);
        match remove_below(group) {
            Err(error)
                if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < give_up =>
            {
                // Nothing tells when a v1 group becomes empty.
                sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

fn kill_below(group: &Path) {
    if fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let pids = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        // Gone already is as good as killed.
        let _ = kill_process(pid, Signal::KILL);
    }
    for child in children(group) {
        kill_below(&child);
    }
}

fn remove_below(group: &Path) -> io::Result<()> {
    for child in children(group) {
        remove_below(&child)?;
    }
    match fs::remove_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn children(group: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|e| e.path())
        .collect()
}
