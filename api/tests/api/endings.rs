//! Ending executions, and running them again.

use serde_json::json;
use shared::domain::Reason;

use crate::harness::{App, FUNCTIONS, Owner, text, worker};

async fn call_async(app: &App, owner: &Owner, id: &str, body: serde_json::Value) -> String {
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let queued = app.post(&path, Some(&owner.token), body).await.data();
    format!("{FUNCTIONS}/executions/{}", text(&queued["execution_id"]))
}

#[tokio::test]
async fn a_queued_execution_is_cancelled_at_once_and_twice_is_the_same() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for body in [json!({}), json!({ "delay": 60 })] {
        let location = call_async(&app, &owner, &id, body).await;
        let cancel = format!("{location}/cancel");
        for _ in 0..2 {
            let reply = app.call(hyper::Method::POST, &cancel, Some(&owner.token), None).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let execution = reply.data();
            assert_eq!(execution["status"], "cancelled");
            assert_eq!(execution["reason"], "cancelled");
        }
        assert!(worker::claim_all(&app).await.is_empty());
    }
}

#[tokio::test]
async fn the_answer_to_a_cancel_waits_for_the_end_of_what_runs() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id, json!({})).await;
    let job = worker::claim_next(&app).await;
    let call = worker::start(&app, &job).await;
    let mut requests = app.signals.cancel_requests();
    let cancel = format!("{location}/cancel");
    let cancel = app.call(hyper::Method::POST, &cancel, Some(&owner.token), None);
    let end = async {
        assert_eq!(requests.recv().await.unwrap(), job.subject);
        worker::finish(&app, &job, &call, &worker::failed(Reason::Cancelled, "ended")).await;
    };
    let (reply, ()) = tokio::join!(cancel, end);
    assert_eq!(reply.data()["status"], "cancelled");
}

#[tokio::test]
async fn what_has_ended_otherwise_cannot_be_cancelled() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let outcomes = [worker::completed("1"), worker::failed(Reason::Oom, "out of memory")];
    for outcome in outcomes {
        let location = call_async(&app, &owner, &id, json!({})).await;
        worker::run_everything(&app, &outcome).await;
        let before = app.get(&location, &owner.token).await.data();
        let cancel = format!("{location}/cancel");
        let reply = app.call(hyper::Method::POST, &cancel, Some(&owner.token), None).await;
        let error = reply.assert_error(409, "CONFLICT");
        assert_eq!(error["details"]["status"], before["status"]);
        assert_eq!(app.get(&location, &owner.token).await.data(), before);
    }
}

#[tokio::test]
async fn a_replay_runs_the_same_version_with_the_same_input() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let input = json!({ "input": { "n": 1 } });
    let location = call_async(&app, &owner, &id, input).await;
    worker::run_everything(&app, &worker::failed(Reason::Oom, "out of memory")).await;
    let first = app.get(&location, &owner.token).await.data();

    let replay = format!("{location}/replay");
    let reply = app.call(hyper::Method::POST, &replay, Some(&owner.token), None).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let again = reply.headers["location"].to_str().unwrap();
    assert_ne!(again, location);
    worker::run_everything(&app, &worker::completed("2")).await;
    let second = app.get(again, &owner.token).await.data();
    assert_eq!(second["replay_of"], first["execution_id"]);
    assert_eq!((&second["input"], &second["version"]), (&first["input"], &first["version"]));
    assert_eq!((&second["status"], &second["output"]), (&json!("completed"), &json!(2)));
    assert_eq!(app.get(&location, &owner.token).await.data(), first, "the first stays as it was");
}

#[tokio::test]
async fn a_deleted_function_is_not_run_again() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id, json!({})).await;
    worker::run_everything(&app, &worker::completed("1")).await;
    let pool = app.database.pool().await;
    sqlx::query("update function set deleted_at = now()").execute(&pool).await.unwrap();
    let replay = format!("{location}/replay");
    let reply = app.call(hyper::Method::POST, &replay, Some(&owner.token), None).await;
    reply.assert_error(409, "FUNC_NOT_READY");
}

#[tokio::test]
async fn a_viewer_neither_ends_nor_repeats() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id, json!({})).await;
    let pool = app.database.pool().await;
    for member in ["update tenant_member set role = 'viewer'", "delete from project_member"] {
        sqlx::query(member).execute(&pool).await.unwrap();
    }
    for what in ["cancel", "replay"] {
        let path = format!("{location}/{what}");
        let reply = app.call(hyper::Method::POST, &path, Some(&owner.token), None).await;
        let error = reply.assert_error(403, "FORBIDDEN");
        assert_eq!(error["details"]["needs"], "member");
    }
    assert_eq!(app.get(&location, &owner.token).await.data()["status"], "pending");
}

#[tokio::test]
async fn requests_that_wait_for_an_execution_leave_places_for_others() {
    let app = App::start_with(|config| config.max_requests = 2).await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let location = call_async(&app, &owner, &id, json!({})).await;
    let (long, short) = (format!("{location}?wait=60s"), format!("{location}?wait=1ms"));
    // Either may find the one place taken by the other; the long one keeps it once it has it.
    let until = async |path: &str, is_refused: bool| {
        loop {
            let reply = app.get(path, &owner.token).await;
            if (reply.status == 503) == is_refused {
                return reply;
            }
        }
    };
    let refused = tokio::select! {
        reply = until(&long, false) => panic!("nobody ended it: {reply:?}"),
        refused = until(&short, true) => refused,
    };
    refused.assert_error(503, "OVERLOADED");
    assert_eq!(app.get(&location, &owner.token).await.status, 200, "looking needs no such place");
}
