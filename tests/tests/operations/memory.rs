//! What idle processes hold.

use std::{fs, time::Duration};

use system_tests::Running;
use test_support::TestDatabase;

/// Whether the kernel may give this process huge pages.
fn may_have_huge_pages(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    line.expect("the kernel says so since 5.0").trim() == "1"
}

/// The children of a process that have this name. There are others for a moment: compilers that are asked
/// for their version.
fn children_of(pid: u32, name: &str) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children = texts
        .flat_map(|text| text.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>());
    let is_named = |child: &u32| {
        fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name)
    };
    children.filter(is_named).collect()
}

/// The process of a slot that waits to become a call's program.
async fn primed_slot_of(worker: u32) -> u32 {
    loop {
        let wardens = children_of(worker, "apprun-warden").into_iter();
        let spawners = wardens.flat_map(|warden| children_of(warden, "apprun-spawner"));
        let mut slots = spawners.flat_map(|spawner| children_of(spawner, "apprun-init"));
        if let Some(slot) = slots.find(|slot| !children_of(*slot, "apprun-init").is_empty()) {
            return slot;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn api_and_worker_do_without_huge_pages_and_calls_need_not() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let (api, _url) = Running::api(dir.path(), database.url());
    assert!(!may_have_huge_pages(api.pid()));

    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let mut worker = Running::start(dir.path(), &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");
    assert!(!may_have_huge_pages(worker.pid()));
    let slot = primed_slot_of(worker.pid()).await;
    for _ in 0..500 {
        // It is there a moment before it may.
        if may_have_huge_pages(slot) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a call would do without huge pages");
}
