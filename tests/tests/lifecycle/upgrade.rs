//! Two versions of the program over one schema. The version before is a binary that
//! `APPRUN_PREVIOUS_BINARY` names (`scripts/previous-binary.sh` builds the last commit's); without it the
//! program of this build takes its part, which holds that a schema once migrated serves a second start.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;
use system_tests::{Client, Running, apprun, apprun_through};
use test_support::TestDatabase;

use super::{SLEEPER, accept, ended};

const SECRET: (&str, &str) = ("APPRUN_JWT_SECRET", "0123456789abcdef0123456789abcdef");

/// Starts the version before instead of the program it is given.
fn previous() -> Vec<String> {
    let Ok(binary) = std::env::var("APPRUN_PREVIOUS_BINARY") else { return Vec::new() };
    ["sh", "-c", r#"shift; exec "$0" "$@""#, &binary].map(str::to_owned).to_vec()
}

fn start_api(starter: &[&str], dir: &Path, database: &TestDatabase) -> (Running, String) {
    let open = ("APPRUN_REGISTRATION", "open");
    let variables = [("APPRUN_DATABASE_URL", database.url()), SECRET, open];
    let arguments = ["api", "--http-addr", "127.0.0.1:0"];
    let mut api = Running::start_through(starter, dir, &arguments, &variables);
    let line: Value = serde_json::from_str(&api.wait_for_line("the API is listening")).unwrap();
    (api, format!("http://{}", line["address"].as_str().unwrap()))
}

fn start_worker(starter: &[&str], dir: &Path, database: &TestDatabase) -> Running {
    let variables = [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_SLOTS", "2")];
    let mut worker = Running::start_through(starter, dir, &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");
    worker
}

#[test]
fn two_versions_serve_one_schema_in_every_combination() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::empty());
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let previous = previous();
    let old: Vec<_> = previous.iter().map(String::as_str).collect();
    let database_url = [("APPRUN_DATABASE_URL", database.url())];
    let migrated = apprun_through(&old, dir, &["migrate"], &database_url);
    assert_eq!(migrated.code, Some(0), "{migrated:?}");

    // The old ones run, the schema moves on, and they go on.
    let (_old_api, old_url) = start_api(&old, dir, &database);
    let mut old_worker = start_worker(&old, dir, &database);
    let client = Client::signed_up(&old_url, "ann@example.com");
    let function = client.deploy_go(SLEEPER);
    let migrated = apprun(dir, &["migrate"], &database_url);
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    let (_new_api, new_url) = start_api(&[], dir, &database);
    let at_new = client.at(&new_url);
    for from in [&client, &at_new] {
        assert_eq!(ended(from, &accept(from, &function, 0))["status"], "completed");
    }

    // The new worker comes, the old one goes.
    let _new_worker = start_worker(&[], dir, &database);
    old_worker.signal(Signal::SIGTERM);
    assert_eq!(old_worker.wait().code(), Some(0));
    for from in [&client, &at_new] {
        assert_eq!(ended(from, &accept(from, &function, 0))["status"], "completed");
    }
}
