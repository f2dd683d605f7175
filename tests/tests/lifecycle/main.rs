//! How processes end, and how others take over: what runs is finished, what is accepted is not lost.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod ending;
mod rolling;
mod upgrade;

use std::{path::Path, thread::JoinHandle};

use serde_json::{Value, json};
use system_tests::{Answer, Client, Running, until};
use test_support::TestDatabase;

/// Sleeps as long as its input says, in milliseconds; on a second attempt not at all.
const SLEEPER: &str = r#"package main

import (
	"os"
	"time"
)

type In struct{ Milliseconds int }

func Handler(in In) (map[string]string, error) {
	if os.Getenv("APPRUN_ATTEMPT") == "1" {
		time.Sleep(time.Duration(in.Milliseconds) * time.Millisecond)
	}
	return map[string]string{"attempt": os.Getenv("APPRUN_ATTEMPT")}, nil
}
"#;

/// In milliseconds: just within the longest time limit of a free plan.
const FOR_EVER_MS: u32 = 25_000;

fn database() -> TestDatabase {
    tokio::runtime::Runtime::new().unwrap().block_on(TestDatabase::create())
}

fn start_worker(dir: &Path, database: &TestDatabase, more: &[(&str, &str)]) -> Running {
    let variables = [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_SLOTS", "4")];
    let mut worker = Running::start(dir, &["worker"], &[&variables, more].concat());
    worker.wait_for_line("the worker takes jobs");
    worker
}

/// A sync call on a thread of its own, running when this returns.
fn call_in_the_background(
    client: &Client,
    function: &str,
    milliseconds: u32,
) -> JoinHandle<Answer> {
    let path = format!("/api/v1/functions/{function}/invoke");
    let (caller, input) = (client.clone(), json!({ "input": { "Milliseconds": milliseconds } }));
    let calling = std::thread::spawn(move || caller.post(&path, &input));
    until(|| count(client, function, "running") == 1);
    calling
}

fn accept(client: &Client, function: &str, milliseconds: u32) -> String {
    let path = format!("/api/v1/functions/{function}/invoke-async");
    let accepted = client.post(&path, &json!({ "input": { "Milliseconds": milliseconds } }));
    assert_eq!(accepted.status, 202, "{accepted:?}");
    accepted.body["data"]["execution_id"].as_str().unwrap().to_owned()
}

/// An execution once it has ended.
fn ended(client: &Client, id: &str) -> Value {
    let path = format!("/api/v1/functions/executions/{id}?wait=60s");
    client.get(&path).body["data"].clone()
}

/// How many of a function's latest executions are in this state.
fn count(client: &Client, function: &str, status: &str) -> usize {
    let path = format!("/api/v1/functions/{function}/executions?status={status}&limit=100");
    let listed = client.get(&path);
    listed.body["data"]["items"].as_array().map_or(0, Vec::len)
}
