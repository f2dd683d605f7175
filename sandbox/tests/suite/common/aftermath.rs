//! Looks for leftovers from the host's side: processes, groups, descriptors.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use sandbox::{Ended, Sandbox};
use tokio::time::timeout;

use super::{attack, run};

/// User ids of one instance, and the first one of all.
const BLOCK_UIDS: u32 = 1024;
const FIRST_UID: u32 = 0x7000_0000;

/// After a run: every slot is gone, no process or group of it is left, and an honest program still
/// runs as it should.
pub(crate) async fn assert_nothing_left(sandbox: &Sandbox) {
    settle(sandbox).await;
    let mut honest = attack("echo");
    honest.stdin = b"honest".to_vec();
    let outcome = run(sandbox, honest).await;
    assert_eq!(outcome.ended, Ended::Exited(0));
    assert_eq!(outcome.stdout, b"honest");
    settle(sandbox).await;
    let first_uid = sandbox.slot_uid(0);
    assert_eq!(processes_of(first_uid), Vec::<String>::new());
    for group in groups_of(first_uid) {
        assert_eq!(subdirectories(&group.path), Vec::<PathBuf>::new());
    }
}

async fn settle(sandbox: &Sandbox) {
    timeout(Duration::from_secs(30), sandbox.settled()).await.expect("a slot is never removed");
}

/// A control group. Its name is used again as soon as it is gone, its inode number is not.
pub(crate) struct Group {
    pub(crate) path: PathBuf,
    inode: u64,
}

impl Group {
    pub(crate) fn is_gone(&self) -> bool {
        fs::metadata(&self.path).map_or(true, |meta| meta.ino() != self.inode)
    }
}

/// Names of processes with a user id of that block, but for dead orphans that are the host's to reap.
pub(crate) fn processes_of(first_uid: u32) -> Vec<String> {
    found(first_uid).into_iter().map(|(_, name)| name).collect()
}

/// Process ids of the programs that run in that block.
pub(crate) fn programs_of(first_uid: u32) -> Vec<u32> {
    let programs = found(first_uid).into_iter().filter(|(_, name)| name.starts_with("hostile"));
    programs.map(|(pid, _)| pid).collect()
}

fn found(first_uid: u32) -> Vec<(u32, String)> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Gone in between, or not a process.
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("");
        let uid = field("Uid:").split_whitespace().next().and_then(|uid| uid.parse::<u32>().ok());
        let orphaned = field("State:").trim().starts_with('Z') && field("PPid:").trim() == "1";
        if !orphaned && uid.is_some_and(|uid| (first_uid..first_uid + BLOCK_UIDS).contains(&uid)) {
            let name = format!("{} {}", field("Name:").trim(), field("State:").trim());
            processes.push((field("Pid:").trim().parse().unwrap(), name));
        }
    }
    processes
}

/// The instance's own groups in every hierarchy.
pub(crate) fn groups_of(first_uid: u32) -> Vec<Group> {
    let listing = format!("/run/apprun/block-{}", (first_uid - FIRST_UID) / BLOCK_UIDS);
    let groups = fs::read_to_string(listing).unwrap();
    let group = |path: &str| {
        let inode = fs::metadata(path).ok()?.ino();
        Some(Group { path: path.into(), inode })
    };
    groups.lines().filter_map(group).collect()
}

fn subdirectories(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
