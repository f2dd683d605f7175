//! The metrics that dashboards of other people rely on: names and labels, at the API and at a worker.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use serde_json::Value;
use system_tests::{Client, Running, until};
use test_support::TestDatabase;

const FAILING: &str = r#"package main

import "errors"

func Handler(input any) (any, error) { return nil, errors.New("as always") }
"#;

/// Series with their labels, as the contract names them.
const OF_API: [&str; 12] = [
    r#"apprun_http_requests_total{method="POST",status="201"}"#,
    r#"apprun_http_request_duration_seconds_count{handler="/api/v1/functions"}"#,
    r#"apprun_http_request_duration_seconds_bucket{le="0.01",handler="/api/v1/functions"}"#,
    r#"apprun_queue_jobs{class="sync",state="ready"}"#,
    r#"apprun_queue_jobs{class="build",state="running"}"#,
    r#"apprun_queue_oldest_ready_seconds{class="async"}"#,
    r#"apprun_database_connections{pool="platform",state="busy"}"#,
    r#"apprun_database_connections{pool="tenants",state="idle"}"#,
    r#"apprun_database_connections_max{pool="platform"}"#,
    r#"apprun_http_errors_total{code="NOT_FOUND"} 1"#,
    r#"apprun_build_info{version=""#,
    "# EOF",
];
const OF_WORKER: [&str; 17] = [
    r#"functions_duration_seconds_count{phase="queue"}"#,
    r#"functions_duration_seconds_count{phase="setup"}"#,
    r#"functions_duration_seconds_count{phase="run"}"#,
    r#"functions_duration_seconds_bucket{le="0.01",phase="store"}"#,
    r#"functions_errors_total{reason="function_error"}"#,
    r#"functions_compile_duration_seconds_count{runtime="go",status="succeeded"}"#,
    r#"apprun_queue_settled_total{class="async"}"#,
    r#"apprun_queue_stale_settles_total{class="async"}"#,
    r#"apprun_queue_retries_total{class="async"}"#,
    r#"apprun_queue_given_back_total{class="build"}"#,
    r#"apprun_queue_reaped_total{class="sync"}"#,
    r#"apprun_queue_dead_letters_total{class="async"}"#,
    r#"apprun_queue_claim_wait_seconds_count{class="async"}"#,
    r#"apprun_worker_slots{kind="call"}"#,
    r#"apprun_worker_slots_busy{kind="build"}"#,
    r#"apprun_binary_cache_requests_total{result="miss"}"#,
    r#"sandbox_degraded{layer="privileges"} 1"#,
];

#[test]
fn the_promised_metrics_are_there_with_their_labels() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let dir = tempfile::tempdir().unwrap();
    let (_api, url) = Running::api(dir.path(), database.url());
    let variables =
        [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_HTTP_ADDR", "127.0.0.1:0")];
    let starter = ["setpriv", "--bounding-set=-fowner"];
    let arguments = ["worker", "--allow-degraded", "privileges"];
    let mut worker = Running::start_through(&starter, dir.path(), &arguments, &variables);
    let line = worker.wait_for_line("health and metrics are served");
    let line: Value = serde_json::from_str(&line).unwrap();
    let at_worker = Client::new(&format!("http://{}", line["address"].as_str().unwrap()));

    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy_go(FAILING);
    assert_eq!(client.call(&function)["status"], "failed");
    let ended =
        format!(r#"functions_invocations_total{{function="{function}",status="failed"}} 1"#);
    until(|| at_worker.text("/metrics").contains(&ended));
    client.get("/nothing");

    for (server, promised) in [(Client::new(&url), &OF_API[..]), (at_worker, &OF_WORKER)] {
        let text = server.text("/metrics");
        for series in promised {
            let is_there = text.lines().any(|line| line.starts_with(series));
            assert!(is_there, "{series} is not in\n{text}");
        }
    }
}

#[test]
fn labels_do_not_grow_with_what_callers_invent() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let dir = tempfile::tempdir().unwrap();
    let (_api, url) = Running::api(dir.path(), database.url());
    let nobody = Client::new(&url);
    let series = || {
        let text = nobody.text("/metrics");
        text.lines().filter(|line| line.starts_with("apprun_http_")).count()
    };
    for path in ["/invented-0", "/api/v1/functions/func-0?x=0"] {
        nobody.get(path);
    }
    // The first scrape is counted itself.
    series();
    let before = series();
    for number in 1..10 {
        nobody.get(&format!("/invented-{number}"));
        nobody.get(&format!("/api/v1/functions/func-{number}?x={number}"));
    }
    assert_eq!(series(), before);
}
