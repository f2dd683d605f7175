//! `apprun migrate`, `api` and `worker` as processes of their own over a Postgres that is not theirs.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{path::Path, time::Duration};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use system_tests::{Client, Running, apprun};
use test_support::TestDatabase;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Starts an API on a free port: it, and its URL.
fn start_api(dir: &Path, database: &TestDatabase) -> (Running, String) {
    let variables = [
        ("APPRUN_DATABASE_URL", database.url()),
        ("APPRUN_JWT_SECRET", SECRET),
        ("APPRUN_HTTP_ADDR", "127.0.0.1:0"),
        ("APPRUN_REGISTRATION", "open"),
    ];
    let mut api = Running::start(dir, &["api"], &variables);
    let line = api.wait_for_line("the API is listening");
    let event: Value = serde_json::from_str(&line).expect("a log that nobody watches is JSON");
    for field in ["timestamp", "level", "message"] {
        assert!(event[field].is_string(), "{field} is missing in {line}");
    }
    let url = format!("http://{}", event["address"].as_str().unwrap());
    (api, url)
}

fn start_worker(dir: &Path, database: &TestDatabase) -> Running {
    let variables = [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_SLOTS", "2")];
    let mut worker = Running::start(dir, &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");
    worker
}

/// Asks until the function is no longer pending; how it is then.
fn settled_status(client: &Client, function: &str) -> String {
    loop {
        let details = client.get(&format!("/api/v1/functions/{function}"));
        let status = details.body["data"]["status"].as_str().unwrap().to_owned();
        if status != "pending" {
            return status;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn several_processes_may_migrate_at_once() {
    let database = TestDatabase::empty().await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [("APPRUN_DATABASE_URL", database.url())];

    let ends = std::thread::scope(|scope| {
        let runs: Vec<_> =
            (0..4).map(|_| scope.spawn(|| apprun(dir.path(), &["migrate"], &variables))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });

    for end in ends {
        assert_eq!(end.code, Some(0), "{}", end.stderr);
    }
}

#[tokio::test]
async fn a_database_that_nobody_migrated_is_refused_at_start() {
    let database = TestDatabase::empty().await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [
        ("APPRUN_DATABASE_URL", database.url()),
        ("APPRUN_JWT_SECRET", SECRET),
        ("APPRUN_HTTP_ADDR", "127.0.0.1:0"),
    ];
    for command in ["api", "worker"] {
        let end = apprun(dir.path(), &[command], &variables);
        assert_eq!(end.code, Some(1), "{}", end.stderr);
        assert!(end.stderr.contains("run `apprun migrate`"), "{}", end.stderr);
    }
}

#[test]
fn a_database_that_is_not_there_is_named_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing listens on port 1.
    let variables = [("APPRUN_DATABASE_URL", "postgres://127.0.0.1:1/apprun")];
    let end = apprun(dir.path(), &["migrate"], &variables);
    assert_eq!(end.code, Some(1));
    for part in ["127.0.0.1:1", "Connection refused"] {
        assert!(end.stderr.contains(part), "{}", end.stderr);
    }
}

#[tokio::test]
async fn two_apis_and_two_workers_serve_one_database() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let (mut first_api, first_url) = start_api(dir.path(), &database);
    let (mut second_api, second_url) = start_api(dir.path(), &database);
    let mut workers = [start_worker(dir.path(), &database), start_worker(dir.path(), &database)];
    let client = Client::signed_up(&first_url, "a@example.com");

    let project = client.post("/api/v1/projects", &json!({ "name": "apart" }));
    let code = include_str!("../../examples/functions/go-hello/handler.go");
    let function = client.post(
        "/api/v1/functions",
        &json!({
            "project_id": project.body["data"]["project_id"],
            "name": "hello",
            "runtime": "go1.21",
            "code": code,
        }),
    );
    assert_eq!(function.status, 201, "{function:?}");
    let function = function.body["data"]["function_id"].as_str().unwrap().to_owned();
    assert_eq!(settled_status(&client, &function), "active");

    // The token of one API holds at the other, and so does everything else.
    let elsewhere = Client::new(&second_url).logged_in("a@example.com");
    let path = format!("/api/v1/functions/{function}/invoke");
    let called = elsewhere.post(&path, &json!({ "input": { "name": "Ada" } }));
    assert_eq!(called.status, 200, "{called:?}");
    assert_eq!(called.body["data"]["output"], json!({ "message": "Hello, Ada!" }));

    let [first_worker, second_worker] = &mut workers;
    for process in [first_worker, second_worker, &mut first_api, &mut second_api] {
        process.signal(Signal::SIGTERM);
        assert_eq!(process.wait().code(), Some(0));
        process.assert_nothing_left();
    }
}

#[test]
fn a_worker_shows_health_readiness_and_what_it_did_where_it_is_told_to() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let dir = tempfile::tempdir().unwrap();
    let (_api, url) = start_api(dir.path(), &database);
    let variables =
        [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_HTTP_ADDR", "127.0.0.1:0")];
    let mut worker = Running::start(dir.path(), &["worker"], &variables);
    let line: Value =
        serde_json::from_str(&worker.wait_for_line("health and metrics are served")).unwrap();
    let own = Client::new(&format!("http://{}", line["address"].as_str().unwrap()));
    worker.wait_for_line("the worker takes jobs");
    assert_eq!(own.get("/ready").body, json!({ "status": "ready", "degraded": [] }));
    assert_eq!(own.get("/health").body["checks"]["database"]["status"], "ok");
    assert_eq!(own.get("/api/v1/functions").status, 404);

    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy();
    assert_eq!(client.call(&function)["status"], "completed");
    let counted =
        format!(r#"functions_invocations_total{{function="{function}",status="completed"}} 1"#);
    system_tests::until(|| {
        let text = own.text("/metrics");
        [counted.as_str(), r#"apprun_worker_slots_busy{kind="call"} 0"#]
            .iter()
            .all(|wanted| text.lines().any(|line| line == *wanted))
    });
    assert!(own.text("/metrics").contains(r#"functions_compile_duration_seconds_count"#));
}
