//! What a worker may do once it runs: next to nothing. A warden, which knows no secret and does not
//! listen to anybody but the worker, starts its spawners.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{collections::BTreeMap, fs};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use system_tests::{Client, Running, until};
use test_support::TestDatabase;

/// CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER and CAP_KILL, by their bits (linux/capability.h); what for
/// is told in docs/sandbox-privileges.md.
const KEPT: &str = "000000000000002b";

#[tokio::test]
async fn a_worker_keeps_four_rights_and_survives_its_spawner_all_the_same() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let (_api, url) = Running::api(dir.path(), database.url());
    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let mut worker = Running::start(dir.path(), &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");

    for thread in threads(worker.pid()) {
        let status = status(worker.pid(), thread);
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(status[set], KEPT, "{set} of thread {thread}");
        }
        assert_eq!((&*status["CapInh"], &*status["NoNewPrivs"]), ("0000000000000000", "1"));
    }
    let client = Client::signed_up(&url, "a@example.com");
    let function = client.deploy();
    assert_eq!(client.call(&function)["status"], "completed");

    for spawner in spawners(&worker) {
        kill(Pid::from_raw(spawner), Signal::SIGKILL).unwrap();
        worker.wait_for_line("the spawner died and is replaced");
    }
    assert_eq!(client.call(&function)["status"], "completed");
}

#[tokio::test]
async fn a_killed_worker_takes_its_warden_and_spawners_along() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let mut worker = Running::start(dir.path(), &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");
    let mut helpers = spawners(&worker);
    helpers.extend(children(worker.pid()));
    assert!(helpers.len() >= 2, "{helpers:?}");

    worker.signal(Signal::SIGKILL);
    worker.wait();

    until(|| helpers.iter().all(|pid| kill(Pid::from_raw(*pid), None).is_err()));
}

/// The children of the worker's only child, the warden.
fn spawners(worker: &Running) -> Vec<i32> {
    let wardens = children(worker.pid());
    let found: Vec<_> = wardens.into_iter().flat_map(|warden| children(warden as u32)).collect();
    assert!(!found.is_empty());
    found
}

fn children(pid: u32) -> Vec<i32> {
    let of = |thread| fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).unwrap();
    let lists = threads(pid).into_iter().map(of).collect::<Vec<_>>().join(" ");
    lists.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn threads(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect()
}

fn status(pid: u32, thread: u32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).unwrap();
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(pair).collect()
}
