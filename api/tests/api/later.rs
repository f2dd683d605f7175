//! Calls that start later, and many calls in one request.

use serde_json::{Value, json};

use crate::harness::{App, FUNCTIONS, text, worker};

/// Larger than a double can hold, with spaces and an escape.
const FAITHFUL: &str = r#"{"n": 123456789012345678901234567890, "a": [1.10, "\u0000é"]}"#;

#[tokio::test]
async fn a_delayed_call_waits_for_its_time_and_no_longer() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let run_at = "2200-01-01T00:00:00Z";
    let too_far = app.post(&path, Some(&owner.token), json!({ "run_at": run_at })).await;
    assert_eq!(too_far.wrong_fields(), ["run_at"]);
    let queued = app.post(&path, Some(&owner.token), json!({ "delay": 3600 })).await.data();
    let location = format!("{FUNCTIONS}/executions/{}", text(&queued["execution_id"]));
    let waiting = app.get(&location, &owner.token).await.data();
    assert_eq!((&waiting["status"], &waiting["run_at"]), (&json!("pending"), &queued["run_at"]));
    assert!(text(&waiting["run_at"]) > text(&waiting["queued_at"]));
    assert!(worker::claim_all(&app).await.is_empty(), "its time has not come");

    let pool = app.database.pool().await;
    sqlx::query("update q.later set due_at = now()").execute(&pool).await.unwrap();
    assert_eq!(shared::queue::promote_due(&app.db).await.unwrap(), 1);
    worker::run_everything(&app, &worker::completed("1")).await;
    assert_eq!(app.get(&location, &owner.token).await.data()["status"], "completed");
}

#[tokio::test]
async fn a_moment_that_has_passed_is_now() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    for body in [json!({ "run_at": "2020-01-01T00:00:00+02:00" }), json!({ "delay": 0 })] {
        assert!(app.post(&path, Some(&owner.token), body).await.data()["run_at"].is_null());
        assert_eq!(worker::claim_all(&app).await.len(), 1);
    }
}

#[tokio::test]
async fn a_batch_is_accepted_in_order_and_byte_for_byte() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let request = hyper::Request::post(format!("{FUNCTIONS}/{id}/invoke-batch"))
        .header("authorization", format!("Bearer {}", owner.token))
        .header("content-type", "application/json")
        .body(format!(r#"{{"inputs": [{FAITHFUL}, null, [2]]}}"#))
        .unwrap();
    let reply = crate::harness::send(app.address, request).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let location = reply.headers["location"].to_str().unwrap();
    assert_eq!(location, format!("{FUNCTIONS}/{id}/executions"));
    let data = reply.data();
    let ids: Vec<_> =
        data["executions"].as_array().unwrap().iter().map(|it| text(&it["execution_id"])).collect();
    for (id, input) in ids.iter().zip([FAITHFUL, "null", "[2]"]) {
        let got = app.get(&format!("{FUNCTIONS}/executions/{id}"), &owner.token).await;
        assert!(got.body.contains(&format!(r#""input":{input},"#)), "{}", got.body);
    }
    assert_eq!(worker::claim_all(&app).await.len(), 3);
}

#[tokio::test]
async fn a_batch_with_one_bad_input_is_refused_as_a_whole() {
    let app = App::start_with(|config| config.functions.payloads.input_bytes = 10).await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-batch");
    let batch = json!({ "inputs": [1, "12345678", "123456789"] });
    let error = app.post(&path, Some(&owner.token), batch).await;
    let error = error.assert_error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(error["details"]["field"], "inputs[2]");
    let many = |count: usize| json!({ "inputs": vec![Value::from(1); count] });
    for body in [many(0), many(101), json!({}), json!({ "inputs": 1 }), json!({ "inputs": null })] {
        let reply = app.post(&path, Some(&owner.token), body).await;
        assert_eq!(reply.wrong_fields(), ["inputs"], "{reply:?}");
    }
    assert!(worker::claim_all(&app).await.is_empty());
    assert_eq!(app.post(&path, Some(&owner.token), many(100)).await.status, 202);
}

#[tokio::test]
async fn when_a_call_starts_is_checked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let month = 30 * 24 * 60 * 60;
    let cases = [
        (json!({ "delay": month + 1 }), "delay"),
        (json!({ "delay": -1 }), "delay"),
        (json!({ "delay": "1" }), "delay"),
        (json!({ "delay": 1, "run_at": "2026-01-01T00:00:00Z" }), "run_at"),
        (json!({ "run_at": "tomorrow" }), "run_at"),
        (json!({ "run_at": "2026-01-01" }), "run_at"),
        (json!({ "run_at": "9999-12-31T23:59:59-12:00" }), "run_at"),
        (json!({ "run_at": 1 }), "run_at"),
    ];
    for (body, field) in cases {
        for how in ["invoke-async", "invoke-batch"] {
            let mut body = body.clone();
            if how == "invoke-batch" {
                body["inputs"] = json!([1]);
            }
            let path = format!("{FUNCTIONS}/{id}/{how}");
            let reply = app.post(&path, Some(&owner.token), body).await;
            assert_eq!(reply.wrong_fields(), [field], "{how}: {reply:?}");
        }
    }
}
