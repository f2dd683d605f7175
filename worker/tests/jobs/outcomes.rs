//! How calls and builds end while nothing goes wrong on our side.

use std::time::Duration;

use shared::config::PayloadLimits;

use crate::fixture::{FAILER, Fixture, HELLO, SLEEPER};

#[tokio::test]
async fn a_function_is_built_and_called() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(HELLO, 30).await;
    let id = f.call(function, r#"{"name":"you"}"#).await;

    assert_eq!(f.final_status("execution", id.0).await, "completed");
    let output = f.text("select output from execution where id = $1", id.0).await;
    assert_eq!(output.as_deref().map(str::trim), Some(r#"{"message":"Hello, you!"}"#));
    let log =
        "select string_agg(line, '|' order by seq) from execution_log where execution_id = $1";
    assert!(f.text(log, id.0).await.unwrap().contains("greeting you"));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn identical_source_is_not_compiled_again() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    f.built(HELLO, 30).await;
    let second = f.built(HELLO, 30).await;
    let cached = "select cached::text from build where function_id = $1";
    assert_eq!(f.text(cached, second.0).await.as_deref(), Some("true"));
    worker.stop().await;
}

#[tokio::test]
async fn a_call_that_runs_too_long_ends_as_timeout() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(SLEEPER, 1).await;
    let id = f.call(function, "{}").await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    let reason = "select reason from execution where id = $1";
    assert_eq!(f.text(reason, id.0).await.as_deref(), Some("timeout"));
    worker.stop().await;
}

#[tokio::test]
async fn source_that_does_not_compile_fails_the_function_with_the_compilers_words() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.create(&HELLO.replace("log.Print", "log.Prnt"), 30).await;
    assert_eq!(f.final_status("function", function.0).await, "failed");
    let build = "select reason || ': ' || message from build where function_id = $1";
    let said = f.text(build, function.0).await.unwrap();
    assert!(said.starts_with("compile_error: ") && said.contains("log.Prnt"), "{said}");
    worker.stop().await;
}

#[tokio::test]
async fn a_failing_call_is_tried_again_as_its_policy_says_and_ends_as_a_dead_letter() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(FAILER, 30).await;
    sqlx::query("update function_version set max_retries = 2, retry_initial_delay_ms = 1")
        .execute(&f.sql)
        .await
        .unwrap();
    let id = f.call(function, "{}").await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    let end = "select reason || ' ' || attempt || ' ' || dead_letter from execution where id = $1";
    assert_eq!(f.text(end, id.0).await.as_deref(), Some("function_error 3 true"));
    worker.stop().await;
}

/// Says as much as it is asked for.
const TALKER: &str = r#"package main

import (
	"fmt"
	"os"
	"strings"
)

type Wish struct{ Output, Log int }

func Handler(wish Wish) (string, error) {
	fmt.Fprint(os.Stderr, strings.Repeat("l", wish.Log))
	return strings.Repeat("o", wish.Output), nil
}
"#;

#[tokio::test]
async fn a_call_says_as_much_as_the_operator_allows() {
    let f = Fixture::new().await;
    let payloads =
        PayloadLimits { output_bytes: 2048, log_bytes: 1024, ..PayloadLimits::default() };
    let worker = f.start_worker_with_payloads(payloads).await;
    let function = f.built(TALKER, 30).await;
    let end =
        "select coalesce(reason, status) || ' ' || logs_truncated from execution where id = $1";
    let cases = [
        (r#"{"Output":2000,"Log":1000}"#, "completed false"),
        (r#"{"Output":2000,"Log":1100}"#, "completed true"),
        (r#"{"Output":2100,"Log":0}"#, "output_limit false"),
    ];
    for (input, expected) in cases {
        let id = f.call(function, input).await;
        f.final_status("execution", id.0).await;
        assert_eq!(f.text(end, id.0).await.as_deref(), Some(expected), "{input}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_call_whose_version_is_gone_ends_and_says_so() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(HELLO, 30).await;
    worker.stop().await;
    let id = f.call(function, r#"{"name":"you"}"#).await;
    sqlx::query("update function_version set artifact_key = null").execute(&f.sql).await.unwrap();

    let worker = f.start_worker(Duration::from_secs(30)).await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    let end = "select reason || ': ' || error_message from execution where id = $1";
    let said = "platform_error: the version of the function that was called is gone";
    assert_eq!(f.text(end, id.0).await.as_deref(), Some(said));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}
