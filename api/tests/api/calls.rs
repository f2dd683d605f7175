//! Calling functions, waiting for what comes out, and looking it up later.

use std::time::Duration;

use serde_json::{Value, json};
use shared::domain::Reason;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{App, FUNCTIONS, Owner, send, text, worker};

/// Numbers, spaces and escapes that a JSON library would like to rewrite.
const FAITHFUL: &str = r#"{"b": 123456789012345678901234567890, "a": [1.10, "\u0000é"]}"#;

async fn call_async(app: &App, owner: &Owner, id: &str) -> String {
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let reply = app.post(&path, Some(&owner.token), json!({ "input": { "n": 1 } })).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let location = reply.headers["location"].to_str().unwrap().to_owned();
    assert!(location.ends_with(&text(&reply.data()["execution_id"])));
    location
}

#[tokio::test]
async fn a_sync_call_answers_with_the_output() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke");
    let call = app.post(&path, Some(&owner.token), json!({ "input": { "name": "you" } }));
    let outcome = worker::completed(r#"{"hello": "you"}"#);
    let (reply, execution) = tokio::join!(call, worker::run_next(&app, &outcome));
    assert_eq!(reply.status, 200);
    let expected = json!({
        "execution_id": execution.to_string(),
        "version": "1",
        "output": { "hello": "you" },
        "duration": 1.5,
        "memory_used": 3.0,
        "logs": "first\nsecond",
    });
    assert_eq!(reply.data(), expected);
}

#[tokio::test]
async fn a_failed_sync_call_says_how_and_keeps_its_log() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke");
    let cases = [
        (Reason::Timeout, 504, "FUNC_EXEC_TIMEOUT"),
        (Reason::Oom, 500, "FUNC_EXEC_FAILED"),
        (Reason::FunctionError, 500, "FUNC_EXEC_FAILED"),
        (Reason::Cancelled, 500, "FUNC_EXEC_FAILED"),
    ];
    for (reason, status, code) in cases {
        let call = app.post(&path, Some(&owner.token), json!({}));
        let outcome = worker::failed(reason, "it broke");
        let (reply, execution) = tokio::join!(call, worker::run_next(&app, &outcome));
        let details = reply.assert_error(status, code)["details"].clone();
        let expected = json!({
            "execution_id": execution.to_string(),
            "version": "1",
            "reason": reason.as_str(),
            "error": "it broke",
            "logs": "first\nsecond",
        });
        assert_eq!(details, expected);
    }
}

#[tokio::test]
async fn an_async_call_is_looked_up_from_the_moment_it_is_accepted() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id).await;

    let pending = app.get(&location, &owner.token).await.data();
    assert_eq!((&pending["status"], &pending["attempt"]), (&json!("pending"), &json!(0)));
    assert!(pending["output"].is_null() && pending["completed_at"].is_null());

    worker::run_everything(&app, &worker::completed("[1]")).await;
    let done = app.get(&location, &owner.token).await.data();
    let expected = json!({
        "execution_id": pending["execution_id"],
        "function_id": id,
        "version": "1",
        "mode": "async",
        "status": "completed",
        "reason": null,
        "input": { "n": 1 },
        "output": [1],
        "error": null,
        "duration": 1.5,
        "memory_used": 3.0,
        "logs": "first\nsecond",
        "logs_truncated": false,
        "degraded": [],
        "attempt": 1,
        "timings": done["timings"],
        "earlier_attempts": [],
        "worker": "test",
        "caller": done["caller"],
        "request_id": pending["request_id"],
        "replay_of": null,
        "run_at": null,
        "queued_at": pending["queued_at"],
        "started_at": done["started_at"],
        "completed_at": done["completed_at"],
    });
    assert_eq!(done, expected);
}

#[tokio::test]
async fn a_long_poll_answers_when_the_execution_ends() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id).await;
    let path = format!("{location}?wait=30s");
    let outcome = worker::completed("1");
    let (reply, _) =
        tokio::join!(app.get(&path, &owner.token), worker::run_everything(&app, &outcome));
    assert_eq!(reply.data()["status"], "completed");
}

#[tokio::test]
async fn a_long_poll_that_runs_out_shows_the_execution_as_it_is() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id).await;
    let reply = app.get(&format!("{location}?wait=1ms"), &owner.token).await;
    assert_eq!(reply.data()["status"], "pending");
}

#[tokio::test]
async fn input_and_output_stay_byte_for_byte() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for document in [FAITHFUL, &deep] {
        let request = hyper::Request::post(format!("{FUNCTIONS}/{id}/invoke-async"))
            .header("authorization", format!("Bearer {}", owner.token))
            .header("content-type", "application/json; charset=utf-8")
            .body(format!(r#"{{"input": {document}}}"#))
            .unwrap();
        let reply = send(app.address, request).await;
        let location = reply.headers["location"].to_str().unwrap().to_owned();
        worker::run_everything(&app, &worker::completed(document)).await;

        let done = app.get(&location, &owner.token).await;
        for field in ["input", "output"] {
            assert!(done.body.contains(&format!(r#""{field}":{document}"#)), "{field}");
        }
    }
}

#[tokio::test]
async fn a_call_without_input_gets_null() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let reply = app.post(&path, Some(&owner.token), json!({})).await;
    let execution = app.get(reply.headers["location"].to_str().unwrap(), &owner.token).await.data();
    assert_eq!(execution.get("input"), Some(&Value::Null));
}

#[tokio::test]
async fn input_is_bounded_exactly() {
    let app = App::start_with(|config| config.functions.payloads.input_bytes = 10).await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let fits = app.post(&path, Some(&owner.token), json!({ "input": "12345678" })).await;
    assert_eq!(fits.status, 202);
    let error = app
        .post(&path, Some(&owner.token), json!({ "input": "123456789" }))
        .await
        .assert_error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(
        (&error["details"]["field"], &error["details"]["limit_bytes"]),
        (&json!("input"), &json!(10))
    );
}

#[tokio::test]
async fn a_function_without_a_version_that_serves_says_so() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.function(&owner, "hello").await;
    for (status, word) in [("pending", "still being built"), ("failed", "undefined: x")] {
        for how in ["invoke", "invoke-async"] {
            let path = format!("{FUNCTIONS}/{id}/{how}");
            let reply = app.post(&path, Some(&owner.token), json!({ "input": 1 })).await;
            let error = reply.assert_error(409, "FUNC_NOT_READY");
            assert_eq!(error["details"]["status"], status);
            assert!(text(&error["message"]).contains(word), "{error}");
        }
        worker::fail_everything(&app, "undefined: x").await;
    }
    let history = app.get(&format!("{FUNCTIONS}/{id}/executions"), &owner.token).await.data();
    assert_eq!(history["items"], json!([]), "nothing that was refused leaves a trace");
}

#[tokio::test]
async fn the_history_lists_calls_without_their_payloads() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let first = call_async(&app, &owner, &id).await;
    let second = call_async(&app, &owner, &id).await;
    worker::run_everything(&app, &worker::failed(Reason::Oom, "out of memory")).await;

    let path = format!("{FUNCTIONS}/{id}/executions");
    let page = app.get(&format!("{path}?limit=1"), &owner.token).await.data();
    let newest = &page["items"][0];
    assert!(second.ends_with(&text(&newest["execution_id"])));
    assert_eq!((&newest["status"], &newest["reason"]), (&json!("failed"), &json!("oom")));
    assert!(newest.get("input").is_none() && newest.get("logs").is_none());

    let rest = format!("{path}?cursor={}", text(&page["next_cursor"]));
    let rest = app.get(&rest, &owner.token).await.data();
    assert!(first.ends_with(&text(&rest["items"][0]["execution_id"])));
    assert!(rest["next_cursor"].is_null());
}

#[tokio::test]
async fn the_log_of_a_function_is_read_backwards_line_by_line() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    call_async(&app, &owner, &id).await;
    worker::run_everything(&app, &worker::completed("1")).await;
    call_async(&app, &owner, &id).await;
    worker::run_everything(&app, &worker::completed("2")).await;

    let mut lines = Vec::new();
    let mut path = format!("{FUNCTIONS}/{id}/logs?limit=3");
    loop {
        let page = app.get(&path, &owner.token).await.data();
        lines.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{FUNCTIONS}/{id}/logs?limit=3&cursor={cursor}");
    }
    let texts: Vec<_> = lines.iter().map(|line| text(&line["text"])).collect();
    assert_eq!(texts, ["second", "first", "second", "first"]);
    assert!(lines.iter().all(|line| line["stream"] == "stderr"));
    assert_eq!(lines[0]["execution_id"], lines[1]["execution_id"]);
    assert_ne!(lines[1]["execution_id"], lines[2]["execution_id"]);
}

#[tokio::test]
async fn a_stopping_server_still_answers_who_waits_and_takes_no_new_callers() {
    let mut app = App::start_with(|config| config.shutdown_grace = Duration::from_secs(30)).await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let request = hyper::Request::post(format!("{FUNCTIONS}/{id}/invoke"))
        .header("authorization", format!("Bearer {}", owner.token))
        .header("content-type", "application/json");
    let waiting = tokio::spawn(send(app.address, request.body("{}").unwrap()));
    let job = worker::claim_next(&app).await;

    app.tell_to_stop();
    worker::run(&app, &job, &worker::completed("1")).await;
    assert_eq!(waiting.await.unwrap().data()["output"], 1);
    app.stopped().await;
    assert!(TcpStream::connect(app.address).await.is_err());
}

#[tokio::test]
async fn a_caller_who_waits_too_long_is_cut_off_when_the_grace_is_over() {
    let mut app = App::start_with(|config| config.shutdown_grace = Duration::ZERO).await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let request = format!(
        "POST {FUNCTIONS}/{id}/invoke HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        owner.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    worker::claim_next(&app).await;

    app.tell_to_stop();
    app.stopped().await;
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0, "the connection is closed");
}
