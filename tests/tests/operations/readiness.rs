//! `apprun ready`, as a container's health check runs it.

use serde_json::Value;
use system_tests::{Running, apprun};
use test_support::TestDatabase;

#[tokio::test]
async fn ready_asks_whoever_of_api_and_worker_answers() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let (mut api, url) = Running::api(dir.path(), database.url());
    let api_address = url.trim_start_matches("http://");
    let variables =
        [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_HTTP_ADDR", "127.0.0.1:0")];
    let mut worker = Running::start(dir.path(), &["worker"], &variables);
    let worker_address = address_of(&mut worker);
    worker.wait_for_line("the worker takes jobs");
    let both = [("APPRUN_HTTP_ADDR", api_address), ("APPRUN_WORKER_HTTP_ADDR", &worker_address)];

    let asked = apprun(dir.path(), &["ready"], &both);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    let lines: Vec<_> = asked.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{asked:?}");
    assert!(lines[0].starts_with(&format!("{api_address} 200 OK: ")), "{asked:?}");
    assert!(lines[1].starts_with(&format!("{worker_address} 200 OK: ")), "{asked:?}");

    api.signal(nix::sys::signal::Signal::SIGTERM);
    api.wait();
    let asked = apprun(dir.path(), &["ready"], &both);
    assert_eq!((asked.code, asked.stdout.lines().count()), (Some(0), 1), "{asked:?}");
}

#[tokio::test]
async fn one_that_answers_and_is_not_ready_is_told() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let variables =
        [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_HTTP_ADDR", "127.0.0.1:0")];
    let starter = ["setpriv", "--bounding-set=-fowner"];
    let arguments = ["worker", "--allow-degraded", "privileges"];
    let mut worker = Running::start_through(&starter, dir.path(), &arguments, &variables);
    let address = address_of(&mut worker);
    worker.wait_for_line("the worker takes jobs");

    // Nothing listens on port 1.
    let variables = [("APPRUN_HTTP_ADDR", "127.0.0.1:1"), ("APPRUN_WORKER_HTTP_ADDR", &address)];
    let asked = apprun(dir.path(), &["ready"], &variables);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert!(asked.stdout.contains("503") && asked.stdout.contains("degraded"), "{asked:?}");
    assert_eq!(asked.stderr, "apprun: not ready\n");
}

fn address_of(worker: &mut Running) -> String {
    let line = worker.wait_for_line("health and metrics are served");
    let line: Value = serde_json::from_str(&line).unwrap();
    line["address"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_that_answers_is_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing listens on port 1.
    let asked = apprun(dir.path(), &["ready"], &[("APPRUN_HTTP_ADDR", "0.0.0.0:1")]);
    assert_eq!(asked.code, Some(1), "{asked:?}");
    assert_eq!(asked.stderr, "apprun: nothing answers at 127.0.0.1:1\n");
}
