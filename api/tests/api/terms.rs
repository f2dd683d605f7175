//! What a caller may say about a call besides its input.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper::Request;
use serde_json::json;
use shared::domain::{ExecutionId, Reason};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::harness::{App, FUNCTIONS, Owner, Reply, send, text, worker};

async fn invoke_with(app: &App, owner: &Owner, id: &str, query: &str, prefer: &str) -> Reply {
    let request = Request::post(format!("{FUNCTIONS}/{id}/invoke{query}"))
        .header("authorization", format!("Bearer {}", owner.token))
        .header("content-type", "application/json")
        .header("prefer", prefer)
        .body(r#"{"input": 1}"#)
        .unwrap();
    send(app.address, request).await
}

#[tokio::test]
async fn a_caller_shortens_the_time_limit_and_never_extends_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for how in ["invoke", "invoke-async", "invoke-batch"] {
        let body = match how {
            "invoke-batch" => json!({ "inputs": [1] }),
            _ => json!({ "input": 1 }),
        };
        let path = format!("{FUNCTIONS}/{id}/{how}?timeout=30001ms");
        let error = app.post(&path, Some(&owner.token), body.clone()).await;
        assert_eq!(error.wrong_fields(), ["timeout"]);
        let error = error.error();
        assert_eq!(error["details"]["limit_seconds"], 30);
        assert!(text(&error["message"]).contains("30.001 s; the function allows 30 s"), "{error}");
        let path = format!("{FUNCTIONS}/{id}/{how}?timeout=0s");
        assert_eq!(app.post(&path, Some(&owner.token), body).await.wrong_fields(), ["timeout"]);
    }
    let path = format!("{FUNCTIONS}/{id}/invoke-async?timeout=1500ms");
    app.post(&path, Some(&owner.token), json!({})).await.data();
    let job = worker::claim_next(&app).await;
    let call = worker::start(&app, &job).await;
    assert_eq!(call.timeout, Duration::from_millis(1500));
}

#[tokio::test]
async fn an_answer_names_execution_and_version_and_cuts_the_log_when_asked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let outcomes = [worker::completed("1"), worker::failed(Reason::Oom, "out of memory")];
    for outcome in outcomes {
        let call = invoke_with(&app, &owner, &id, "?log_tail=1", "wait=5");
        let (reply, execution) = tokio::join!(call, worker::run_next(&app, &outcome));
        let json = reply.json();
        let told = if json["success"] == true { &json["data"] } else { &json["error"]["details"] };
        assert_eq!((&told["logs"], &told["version"]), (&json!("second"), &json!("1")));
        assert_eq!(reply.headers["x-execution-id"], execution.to_string().as_str());
        assert_eq!(reply.headers["x-executed-version"], "1");
    }
}

#[tokio::test]
async fn who_prefers_not_to_wait_gets_an_async_answer() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for prefer in ["respond-async", "wait=10, Respond-Async; x=1"] {
        let reply = invoke_with(&app, &owner, &id, "", prefer).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        assert_eq!(reply.headers["preference-applied"], "respond-async");
        let execution = text(&reply.data()["execution_id"]);
        let location = reply.headers["location"].to_str().unwrap();
        assert!(location.ends_with(&execution));
        assert_eq!(app.get(location, &owner.token).await.data()["mode"], "async");
    }
}

#[tokio::test]
async fn beyond_the_limit_a_waiting_caller_is_told_and_an_async_call_waits() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    for _ in 0..10 {
        assert_eq!(app.post(&path, Some(&owner.token), json!({})).await.status, 202);
    }
    let running = worker::claim_all(&app).await;
    assert_eq!(running.len(), 10, "as many as the plan allows");

    let refused = invoke_with(&app, &owner, &id, "", "").await;
    let error = refused.assert_error(429, "FUNC_QUOTA_EXCEEDED");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(error["details"], json!({ "scope": "tenant", "limit": 10 }));
    assert_eq!(app.post(&path, Some(&owner.token), json!({})).await.status, 202);

    for job in &running {
        worker::run(&app, job, &worker::completed("1")).await;
    }
    worker::run_everything(&app, &worker::completed("2")).await;
    let outcome = worker::completed("3");
    let call = invoke_with(&app, &owner, &id, "", "");
    let (reply, _) = tokio::join!(call, worker::run_next(&app, &outcome));
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn a_function_with_a_limit_of_its_own_says_so() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let pool = app.database.pool().await;
    sqlx::query("update function_version set max_concurrency = 1").execute(&pool).await.unwrap();
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    app.post(&path, Some(&owner.token), json!({})).await.data();
    let running = worker::claim_all(&app).await;
    let refused = invoke_with(&app, &owner, &id, "", "").await;
    let error = refused.assert_error(429, "FUNC_QUOTA_EXCEEDED");
    assert_eq!(error["details"], json!({ "scope": "function", "limit": 1 }));
    worker::run(&app, &running[0], &worker::completed("1")).await;
}

#[tokio::test]
async fn of_fifty_callers_at_once_exactly_as_many_get_in_as_fit() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    // Over two processes: the limit is the tenant's.
    let other = app.another().await;
    let path = format!("{FUNCTIONS}/{id}/invoke");
    let call = |n| {
        let app = if n % 2 == 0 { &app } else { &other };
        app.post(&path, Some(&owner.token), json!({}))
    };
    let mut calls: FuturesUnordered<_> = (0..50).map(call).collect();
    for _ in 0..40 {
        let refused = calls.next().await.unwrap();
        let error = refused.assert_error(429, "FUNC_QUOTA_EXCEEDED");
        assert_eq!(error["details"], json!({ "scope": "tenant", "limit": 10 }));
    }
    let answered = async {
        let mut answered = 0;
        while let Some(reply) = calls.next().await {
            assert_eq!(reply.status, 200, "{reply:?}");
            answered += 1;
        }
        answered
    };
    let outcome = worker::completed("1");
    let run = worker::run_everything(&app, &outcome);
    assert_eq!(tokio::join!(answered, run).0, 10);
}

#[tokio::test]
async fn two_hundred_callers_at_once_never_run_more_than_the_limit() {
    let app = std::sync::Arc::new(App::start().await);
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let call = |_| {
        let (app, token) = (app.clone(), owner.token.clone());
        let path = format!("{FUNCTIONS}/{id}/invoke");
        tokio::spawn(async move { app.post(&path, Some(&token), json!({})).await })
    };
    let callers: Vec<_> = (0..200).map(call).collect();
    let pool = app.database.pool().await;
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        let claimed = worker::claim_all(&app).await;
        let running: i64 =
            sqlx::query_scalar("select count(*) from q.job where lease_id is not null")
                .fetch_one(&pool)
                .await
                .unwrap();
        assert!(running <= 10, "{running} at once");
        for job in claimed {
            worker::run(&app, &job, &worker::completed("1")).await;
        }
        tokio::task::yield_now().await;
    }
    let mut answered = 0;
    for caller in callers {
        let reply = caller.await.unwrap();
        match reply.status.as_u16() {
            200 => answered += 1,
            // No room; or the server was too busy even to look.
            429 | 503 => assert_eq!(reply.headers["retry-after"], "1", "{reply:?}"),
            _ => panic!("{reply:?}"),
        }
    }
    assert!(answered >= 10, "{answered} answered");
}

/// Sends a call; its caller leaves with the value.
async fn call_and_stay(app: &App, owner: &Owner, id: &str, query: &str, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let request = format!(
        "POST {FUNCTIONS}/{id}/invoke{query} HTTP/1.1\r\nhost: test\r\n{key}\
         authorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 2\r\n\r\n{{}}",
        owner.token
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_call_whose_caller_leaves_goes_on_or_ends_as_asked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for (query, key, status) in [
        ("", "", "running"),
        ("?on_disconnect=cancel", "", "cancelled"),
        ("?on_disconnect=cancel", "idempotency-key: k\r\n", "cancelled"),
    ] {
        let stream = call_and_stay(&app, &owner, &id, query, key).await;
        let job = worker::claim_next(&app).await;
        let call = worker::start(&app, &job).await;
        let mut requests = app.signals.cancel_requests();
        drop(stream);
        if status == "cancelled" {
            assert_eq!(requests.recv().await.unwrap(), job.subject);
            worker::finish(&app, &job, &call, &worker::failed(Reason::Cancelled, "ended")).await;
        }
        let path = format!("{FUNCTIONS}/executions/{}", ExecutionId(job.subject));
        assert_eq!(app.get(&path, &owner.token).await.data()["status"], status);
    }
}

/// Lets COMMITs that push a job wait for the lock 42.
const HELD_COMMITS: &str = "
    create function hold_commit() returns trigger language plpgsql as $$
    begin
        perform pg_advisory_xact_lock(42);
        return null;
    end $$;
    create constraint trigger hold_commit after insert on q.job deferrable initially deferred
        for each row execute function hold_commit()";

#[tokio::test]
async fn a_call_whose_caller_leaves_while_it_is_committed_is_cancelled_too() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let pool = app.database.pool().await;
    sqlx::raw_sql(HELD_COMMITS).execute(&pool).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(42)").execute(&mut *holder).await.unwrap();

    let stream = call_and_stay(&app, &owner, &id, "?on_disconnect=cancel", "").await;
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                   and database = (select oid from pg_database where datname = current_database())";
    let count =
        async |statement| -> i64 { sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap() };
    while count(waiting).await == 0 {}
    drop(stream);
    // The server reads on and finds that nobody is there.
    for _ in 0..20 {
        app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data();
    }
    holder.rollback().await.unwrap();
    while count("select count(*) from execution").await == 0 {}
    let execution: uuid::Uuid =
        sqlx::query_scalar("select id from execution").fetch_one(&pool).await.unwrap();
    let path = format!("{FUNCTIONS}/executions/{}?wait=30s", ExecutionId(execution));
    assert_eq!(app.get(&path, &owner.token).await.data()["status"], "cancelled");
}

#[tokio::test]
async fn what_a_caller_may_say_is_checked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let cases = [
        ("timeout=5", "timeout"),
        ("timeout=-5s", "timeout"),
        ("timeout=s", "timeout"),
        ("log_tail=-1", "log_tail"),
        ("log_tail=10001", "log_tail"),
        ("log_tail=x", "log_tail"),
        ("on_disconnect=explode", "on_disconnect"),
    ];
    for (query, field) in cases {
        let path = format!("{FUNCTIONS}/{id}/invoke?{query}");
        let reply = app.post(&path, Some(&owner.token), json!({})).await;
        assert_eq!(reply.wrong_fields(), [field], "{query}");
    }
}
