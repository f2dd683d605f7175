//! Chooses the group below which ours are made.
//!
//! In v1 that is simply our own group, and this file has no part in it. In v2 a group that holds processes cannot give controllers to
//! groups below it, so we either move out of our own group's way or go where the rule does not hold.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::layout::Root;

/// Where the processes of a delegated group move, to make room for the slots' groups beside them.
const SUPERVISOR: &str = "apprun-supervisor";

/// The directory in which the instance's group can be made, after moving what stands in the way.
pub(super) fn prepare(root: &Root, worker: u32) -> io::Result<PathBuf> {
    let own = root.own_group.as_path();
    if root.controllers.is_empty() || is_true_root(own) {
        return Ok(own.to_owned());
    }
    if let Some(delegated) = own.parent().filter(|_| own.ends_with(SUPERVISOR)) {
        return Ok(delegated.to_owned());
    }
    let is_container = own == root.mount_point;
    if is_container || processes(own)?.iter().all(|pid| is_ours(*pid, worker)) {
        move_aside(own)?;
        return Ok(own.to_owned());
    }
    // A login session, for example, shared with programs that are not ours to move. The root of the
    // whole hierarchy may hold processes and groups alike.
    Ok(if is_true_root(&root.mount_point) { root.mount_point.clone() } else { own.to_owned() })
}

/// Every group but the hierarchy's root has a type.
fn is_true_root(group: &Path) -> bool {
    !group.join("cgroup.type").exists()
}

/// The spawner itself, its parent, which is the worker or a warden, and the worker.
fn is_ours(pid: u32, worker: u32) -> bool {
    [std::process::id(), std::os::unix::process::parent_id(), worker].contains(&pid)
}

fn processes(group: &Path) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(group.join("cgroup.procs"))?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

fn move_aside(group: &Path) -> io::Result<()> {
    let supervisor = group.join(SUPERVISOR);
    fs::create_dir_all(&supervisor)?;
    for pid in processes(group)? {
        match fs::write(supervisor.join("cgroup.procs"), pid.to_string()) {
            // It has ended in between.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            other => other?,
        }
    }
    Ok(())
}
