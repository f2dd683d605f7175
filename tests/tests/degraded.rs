//! A worker that lacks a layer of isolation refuses to start, or, when that layer was allowed by name
//! to be missing, says so wherever somebody may look. The layer is really taken away, by `setpriv`.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use serde_json::{Value, json};
use system_tests::{Client, Running, apprun, apprun_through, until};
use test_support::TestDatabase;

/// Starts a command without the right to change the mode of somebody else's files: one of those the
/// sandbox asks for, and none that a call cannot do without.
const WITHOUT_FOWNER: &[&str] = &["setpriv", "--bounding-set=-fowner"];

#[tokio::test]
async fn a_worker_without_its_rights_is_refused_with_one_line_for_each_layer() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let starter = ["setpriv", "--bounding-set=-mknod,-fowner"];

    let refused = apprun_through(&starter, dir.path(), &["worker"], &variables);

    assert_eq!(refused.code, Some(1), "{refused:?}");
    let event: Value = serde_json::from_str(&refused.stderr).expect("one JSON line");
    let lines: Vec<_> = event["error"].as_str().unwrap().lines().map(str::trim).collect();
    let line = |layer: &str| {
        let mut of_layer = lines.iter().filter(|line| line.starts_with(layer));
        (of_layer.next().copied().unwrap_or_default(), of_layer.count())
    };
    let (privileges, more) = line("privileges: ");
    assert!(privileges.contains("lacks CAP_MKNOD, CAP_FOWNER; run as root"), "{refused:?}");
    assert_eq!(more, 0, "{refused:?}");
    let (namespaces, more) = line("namespaces: ");
    assert!(namespaces.contains("Operation not permitted (os error 1); "), "{refused:?}");
    assert_eq!(more, 0, "{refused:?}");
}

#[test]
fn a_layer_nobody_knows_is_refused_with_those_there_are() {
    let dir = tempfile::tempdir().unwrap();
    for names in ["everything", "*", "all", "cpu,everything"] {
        let refused = apprun(dir.path(), &["dev", "--allow-degraded", names], &[]);

        assert_eq!(refused.code, Some(1));
        assert_eq!(refused.stderr.trim_end().lines().count(), 1, "{refused:?}");
        assert!(refused.stderr.contains("privileges, namespaces, uids, memory, pids, cpu"));
    }
}

/// `dev` runs calls itself, so its API is not ready for them.
#[tokio::test]
async fn a_degraded_dev_is_not_ready_and_says_what_it_lacks() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["dev", "--http-addr", "127.0.0.1:0", "--allow-degraded", "privileges"];
    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let mut dev = Running::start_through(WITHOUT_FOWNER, dir.path(), &arguments, &variables);
    let line = dev.wait_for_line("  API     http://");
    let url = line.trim().trim_start_matches("API").trim().trim_end_matches("/api/v1");

    let ready = Client::new(url).get("/ready");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert_eq!(ready.body["error"]["details"]["degraded"], json!(["privileges"]), "{ready:?}");
    assert_eq!(Client::new(url).get("/health").status, 200);
}

/// An API and a worker, as on two machines: all that one knows of the other is in the database.
#[tokio::test]
async fn a_degraded_worker_says_so_in_log_readiness_and_on_each_execution() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let (_api, url) = Running::api(dir.path(), database.url());
    let nobody = Client::new(&url);
    assert_eq!(nobody.get("/ready").body["data"]["degraded"], json!([]));

    let arguments = ["worker", "--allow-degraded", "privileges"];
    let mut worker = Running::start_through(WITHOUT_FOWNER, dir.path(), &arguments, &variables);
    let line = worker.wait_for_line("calls run without these layers");
    assert!(line.contains("ERROR") && line.contains("privileges"), "{line}");

    until(|| nobody.get("/ready").body["data"]["degraded"] == json!(["privileges"]));
    let client = Client::signed_up(&url, "a@example.com");
    let execution = client.call(&client.deploy());
    assert_eq!(execution["status"], "completed", "{execution}");
    assert_eq!(execution["degraded"], json!(["privileges"]), "{execution}");
}
