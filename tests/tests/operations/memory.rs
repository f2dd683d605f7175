//! What idle processes hold.

use std::fs;

use system_tests::Running;
use test_support::TestDatabase;

/// Whether the kernel may give this process huge pages.
fn may_have_huge_pages(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    line.expect("the kernel says so since 5.0").trim() == "1"
}

/// Of the children of a process, the one that starts spawners. There are others for a moment: compilers
/// that are asked for their version.
fn warden_of(pid: u32) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let texts =
        tasks.map(|task| fs::read_to_string(task.unwrap().path().join("children")).unwrap());
    let children: Vec<u32> = texts
        .flat_map(|text| text.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.into_iter().find(|child| {
        fs::read_to_string(format!("/proc/{child}/comm"))
            .is_ok_and(|name| name == "apprun-warden\n")
    })
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
    assert!(warden_of(worker.pid()).is_some_and(may_have_huge_pages));
}
