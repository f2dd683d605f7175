//! Nothing secret is ever logged: a whole run with every kind of secret and payload in it, at the most
//! talkative level that an operator would choose.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use system_tests::{Client, Running};
use test_support::TestDatabase;

/// Says its input and its secret on every channel it has, and fails when asked to.
const HANDLER: &str = r#"package main

import (
	"errors"
	"fmt"
	"os"
)

func Handler(input map[string]string) (map[string]string, error) {
	fmt.Fprintln(os.Stderr, "log-line-41c2", input["word"])
	if input["fail"] != "" {
		return nil, errors.New("error-text-93ab")
	}
	return map[string]string{"said": "output-77fe", "key": os.Getenv("API_KEY")}, nil
}
"#;

/// Nobody but the caller and the function may ever see these.
const PAYLOADS: [&str; 7] = [
    "correct horse battery staple",
    "input-5d0e",
    "output-77fe",
    "secret-value-c81d",
    "log-line-41c2",
    "error-text-93ab",
    "query-secret-2b6f",
];

fn lines_of(mut process: Running) -> Vec<String> {
    process.signal(Signal::SIGTERM);
    assert_eq!(process.wait().code(), Some(0));
    process.rest().to_vec()
}

#[test]
fn no_password_token_secret_input_or_output_is_ever_logged() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let dir = tempfile::tempdir().unwrap();
    let key = ("APPRUN_SECRET_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    let talkative = ("APPRUN_LOG", "debug");
    let (api, url) = Running::api_with(dir.path(), database.url(), &[key, talkative]);
    let variables = [("APPRUN_DATABASE_URL", database.url()), key, talkative];
    let mut worker = Running::start(dir.path(), &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");

    let client = Client::signed_up(&url, "ann@example.com");
    let wrong = json!({ "email": "ann@example.com", "password": "wrong horse battery staple" });
    assert_eq!(client.post("/api/v1/auth/login", &wrong).status, 401);
    let function = client.deploy_with(HANDLER, &json!({ "API_KEY": "secret-value-c81d" }));
    let path = format!("/api/v1/functions/{function}/invoke");
    let word = json!({ "input": { "word": "input-5d0e" } });
    assert_eq!(client.post(&path, &word).status, 200);
    let failing = json!({ "input": { "word": "input-5d0e", "fail": "yes" } });
    assert_eq!(client.post(&path, &failing).status, 500);
    assert_eq!(client.get("/api/v1/functions?token=query-secret-2b6f").status, 400);
    client.call(&function);

    let secrets: Vec<_> = PAYLOADS.into_iter().chain(client.tokens()).collect();
    assert_eq!(secrets.len(), PAYLOADS.len() + 2);
    let mut requests = 0;
    for line in lines_of(api).iter().chain(&lines_of(worker)) {
        for secret in &secrets {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for field in ["timestamp", "level", "target"] {
            assert!(event[field].is_string(), "no {field} in {line}");
        }
        // Libraries say things in fields alone.
        let room = event["target"].as_str().unwrap().split(':').next().unwrap();
        if ["api", "apprun", "worker", "shared", "sandbox", "compiler"].contains(&room) {
            assert!(event["message"].is_string(), "no message in {line}");
        }
        if event["message"] == "request" {
            requests += 1;
            let texts = ["request_id", "method", "path"].iter().all(|name| event[name].is_string());
            let numbers = ["status", "duration_ms"].iter().all(|name| event[name].is_number());
            assert!(texts && numbers, "{line}");
            // What is no request of ours is refused before anybody asks whose it is.
            let is_ours = event["status"] != 400;
            if is_ours && event["path"].as_str().unwrap().starts_with("/api/v1/functions") {
                assert!(event["tenant_id"].is_string() && event["user_id"].is_string(), "{line}");
            }
        }
    }
    assert!(requests > 6, "{requests}");
}

#[test]
fn a_request_id_goes_from_the_caller_into_the_log_of_the_worker() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let dir = tempfile::tempdir().unwrap();
    let (mut api, url) = Running::api(dir.path(), database.url());
    let mut worker =
        Running::start(dir.path(), &["worker"], &[("APPRUN_DATABASE_URL", database.url())]);
    worker.wait_for_line("the worker takes jobs");
    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy();

    let id = "req-0199a0b0-0000-7000-8000-000000000000";
    let caller = client.sending(&format!("x-request-id: {id}"));
    let path = format!("/api/v1/functions/{function}/invoke");
    let answer = caller.post(&path, &json!({ "input": {} }));
    assert_eq!((answer.status, answer.header("x-request-id")), (200, id));

    let of_request: Value = serde_json::from_str(&api.wait_for_line(id)).unwrap();
    let of_call: Value = serde_json::from_str(&worker.wait_for_line(id)).unwrap();
    assert_eq!(of_request["message"], "request");
    assert_eq!((&of_call["message"], &of_call["status"]), (&json!("call"), &json!("completed")));
    assert_eq!(of_call["trace_id"], of_request["trace_id"]);
    assert_eq!(of_call["tenant_id"], of_request["tenant_id"]);
    assert_eq!(of_call["user_id"], of_request["user_id"]);
    let of_build = worker.seen().iter().find(|line| line.contains(r#""message":"build""#));
    let of_build: Value = serde_json::from_str(of_build.unwrap()).unwrap();
    assert_eq!(of_build["tenant_id"], of_request["tenant_id"]);
    assert_eq!(of_build["user_id"], of_request["user_id"]);
}
