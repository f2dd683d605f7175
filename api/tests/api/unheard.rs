//! What was committed, and the answer to the COMMIT lost on its way.

use hyper::Method;
use serde_json::{Value, json};
use shared::domain::Reason;
use test_support::{Fault, Proxy, TestDatabase};

use crate::harness::{App, FUNCTIONS, text, worker};

#[tokio::test]
async fn what_was_committed_unheard_is_answered_as_done() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(database.url()).await;
    let app = App::over(proxy.url().to_owned(), database).await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let function = format!("{FUNCTIONS}/{id}");
    let call = format!("{function}/invoke-async");
    let dead = app.post(&call, Some(&owner.token), json!({})).await.data();
    worker::run_everything(&app, &worker::failed(Reason::Oom, "it broke")).await;

    let replay = format!("{FUNCTIONS}/executions/{}/replay", text(&dead["execution_id"]));
    let redrive = format!("/api/v1/projects/{}/dead-letters/redrive", owner.project_id);
    let cases: [(&'static str, Method, &str, Option<Value>, u16); 5] = [
        ("function.create", Method::POST, FUNCTIONS, Some(owner.new_function("other")), 201),
        ("function.change", Method::PUT, &function, Some(json!({ "timeout": 5 })), 200),
        ("execution.replay", Method::POST, &replay, None, 202),
        ("dead_letters.redrive", Method::POST, &redrive, Some(json!({})), 200),
        ("function.delete", Method::DELETE, &function, None, 200),
    ];
    for (deed, method, path, body, status) in cases {
        proxy.arm(&[deed, "COMMIT"], Fault::CutAfter);
        let reply = app.call(method, path, Some(&owner.token), body.as_ref()).await;
        assert_eq!(reply.status, status, "{deed}: {reply:?}");
        proxy.struck().await;
    }
    let deeds = "select count(*) from audit where action in
        ('function.create', 'function.change', 'execution.replay', 'dead_letters.redrive', 'function.delete')";
    let pool = app.database.pool().await;
    let deeds: i64 = sqlx::query_scalar(deeds).fetch_one(&pool).await.unwrap();
    assert_eq!(deeds, 6, "each once, and the function at the start");
}

#[tokio::test]
async fn what_was_not_committed_is_answered_as_to_be_tried_again() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(database.url()).await;
    let app = App::over(proxy.url().to_owned(), database).await;
    let owner = app.owner().await;
    proxy.arm(&["function.create", "COMMIT"], Fault::CutBefore);
    let body = owner.new_function("hello");
    let reply = app.post(FUNCTIONS, Some(&owner.token), body.clone()).await;
    reply.assert_error(503, "OVERLOADED");
    assert_eq!(app.post(FUNCTIONS, Some(&owner.token), body).await.status, 201);
}
