//! Idempotency keys: what happens once, whatever is repeated.

use hyper::Request;
use serde_json::{Value, json};

use crate::harness::{App, FUNCTIONS, Reply, send, text, worker};

const PROJECTS: &str = "/api/v1/projects";

async fn post(app: &App, path: &str, token: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .header("idempotency-key", key);
    send(app.address, request.body(body.to_string()).unwrap()).await
}

async fn count(app: &App, table: &str) -> i64 {
    let pool = app.database.pool().await;
    let statement = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap()
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_quoted_or_not() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let body = json!({ "name": "shop" });
    let first = post(&app, PROJECTS, &ann.token, "\"key-1\"", &body).await;
    let again = post(&app, PROJECTS, &ann.token, "key-1", &body).await;
    assert_eq!((first.status, again.status), (hyper::StatusCode::CREATED, first.status));
    assert_eq!(first.data(), again.data());
    assert!(!first.headers.contains_key("idempotency-replayed"));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(count(&app, "project").await, 1);
}

#[tokio::test]
async fn the_key_of_another_request_is_refused() {
    let app = App::start().await;
    let (ann, bob) = (app.register("ann@a.b").await, app.register("bob@a.b").await);
    post(&app, PROJECTS, &ann.token, "k", &json!({ "name": "shop" })).await.data();
    for body in [json!({ "name": "other" }), json!({})] {
        let refused = post(&app, PROJECTS, &ann.token, "k", &body).await;
        refused.assert_error(422, "IDEMPOTENCY_KEY_REUSED");
    }
    let bobs = post(&app, PROJECTS, &bob.token, "k", &json!({ "name": "other" })).await;
    assert_eq!(bobs.status, 201, "keys belong to whoever sends them");
    for key in ["", "\"\"", &"x".repeat(256)] {
        let refused = post(&app, PROJECTS, &ann.token, key, &json!({ "name": "x" })).await;
        assert_eq!(refused.wrong_fields(), ["idempotency-key"]);
    }
    app.post(PROJECTS, Some("nobody"), json!({})).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn fifty_creates_with_one_key_make_one_function_and_get_one_answer() {
    let app = App::start().await;
    let owner = app.owner().await;
    let body = owner.new_function("hello");
    let all = (0..50).map(|_| post(&app, FUNCTIONS, &owner.token, "once", &body));
    let replies = futures_util::future::join_all(all).await;
    let id = text(&replies[0].data()["function_id"]);
    for reply in &replies {
        assert_eq!((reply.status.as_u16(), text(&reply.data()["function_id"])), (201, id.clone()));
    }
    assert_eq!(count(&app, "function").await, 1);
    let later = post(&app, FUNCTIONS, &owner.token, "once", &body).await;
    assert_eq!(text(&later.data()["function_id"]), id);
}

#[tokio::test]
async fn a_request_that_made_nothing_may_be_corrected_and_repeated() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let wrong = post(&app, PROJECTS, &ann.token, "k", &json!({ "name": "" })).await;
    wrong.assert_error(400, "VALIDATION_FAILED");
    post(&app, PROJECTS, &ann.token, "k", &json!({ "name": "shop" })).await.data();
}

#[tokio::test]
async fn a_repeated_call_is_the_same_execution_while_it_runs_and_after() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{function}/invoke");
    let body = json!({ "input": 1 });
    let call = post(&app, &path, &owner.token, "call", &body);
    let meanwhile = async {
        let job = worker::claim_next(&app).await;
        let second = post(&app, &path, &owner.token, "call", &body).await;
        worker::run(&app, &job, &worker::completed("\"done\"")).await;
        second
    };
    let (first, second) = tokio::join!(call, meanwhile);
    let (first, second_data) = (first.data(), second.data());
    assert_eq!(second.status, 202);
    assert_eq!(second_data["execution_id"], first["execution_id"]);
    let location = second.headers["location"].to_str().unwrap();
    assert_eq!(app.get(location, &owner.token).await.status, 200);
    let third = post(&app, &path, &owner.token, "call", &body).await;
    assert_eq!((third.status.as_u16(), third.data()), (200, first));
    assert_eq!(count(&app, "execution").await, 1);
}

#[tokio::test]
async fn a_call_that_failed_is_not_carried_out_again() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{function}/invoke");
    let failure = worker::failed(shared::domain::Reason::FunctionError, "no");
    let body = json!({});
    let (first, _) = tokio::join!(
        post(&app, &path, &owner.token, "k", &body),
        worker::run_next(&app, &failure),
    );
    let first = first.assert_error(500, "FUNC_EXEC_FAILED");
    let again = post(&app, &path, &owner.token, "k", &body).await;
    assert_eq!(again.assert_error(500, "FUNC_EXEC_FAILED"), first);
}

#[tokio::test]
async fn a_process_that_died_blocks_no_key_and_its_execution_is_found() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{function}/invoke-async");
    let first = post(&app, &path, &owner.token, "k", &json!({ "input": 1 })).await;
    let pool = app.database.pool().await;
    let as_if_it_died = |held: &'static str| {
        let statement = format!(
            "update idempotency_key set status = null, sealed = null, \
             held_until = now() {held} interval '10 s'"
        );
        let pool = pool.clone();
        async move { sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.unwrap() }
    };
    // Before its time is over, and after.
    for held in ["+", "-"] {
        as_if_it_died(held).await;
        let again = post(&app, &path, &owner.token, "k", &json!({ "input": 1 })).await;
        assert_eq!(again.status, 202);
        assert_eq!(again.data()["execution_id"], first.data()["execution_id"]);
    }
    assert_eq!(count(&app, "execution").await, 1);

    // Died before it made anything.
    for table in ["execution", "q.job"] {
        let statement = sqlx::AssertSqlSafe(format!("delete from {table}"));
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    as_if_it_died("-").await;
    let again = post(&app, &path, &owner.token, "k", &json!({ "input": 1 })).await;
    assert_eq!(again.status, 202);
    assert_eq!(count(&app, "execution").await, 1);
}

#[tokio::test]
async fn secrets_in_kept_answers_are_sealed_and_shown_again() {
    let app = App::start().await;
    let owner = app.owner().await;
    let project = format!("{PROJECTS}/{}", owner.project_id);
    let cases = [
        ("tokens", json!({ "name": "ci", "role": "member" }), "token"),
        ("invitations", json!({ "email": "bob@a.b", "role": "member" }), "token"),
        ("callback-secret", json!({}), "secret"),
    ];
    let pool = app.database.pool().await;
    for (what, body, field) in cases {
        let path = format!("{project}/{what}");
        let first = post(&app, &path, &owner.token, what, &body).await.data();
        let again = post(&app, &path, &owner.token, what, &body).await.data();
        assert_eq!(again, first);
        let row = "select k::text || encode(sealed, 'escape') from idempotency_key k
                   where key = $1";
        let row: String = sqlx::query_scalar(row).bind(what).fetch_one(&pool).await.unwrap();
        assert!(!row.contains(&text(&first[field])), "{what}: {row}");
    }
}

#[tokio::test]
async fn an_answer_kept_by_the_version_before_is_given_and_a_lost_one_makes_nothing_twice() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let body = json!({ "name": "shop" });
    let first = post(&app, PROJECTS, &ann.token, "k", &body).await.data();
    let pool = app.database.pool().await;
    let plain = "update idempotency_key set sealed = null, answer = $1";
    sqlx::query(plain).bind(first.to_string()).execute(&pool).await.unwrap();
    assert_eq!(post(&app, PROJECTS, &ann.token, "k", &body).await.data(), first);

    let other_secret = "update idempotency_key set answer = null, sealed = '\\x00'";
    sqlx::query(other_secret).execute(&pool).await.unwrap();
    post(&app, PROJECTS, &ann.token, "k", &body).await.assert_error(409, "CONFLICT");
    assert_eq!(count(&app, "project").await, 1);
}

#[tokio::test]
async fn what_is_made_and_its_answer_are_kept_by_one_commit() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let queued = post(
        &app,
        &format!("{FUNCTIONS}/{function}/invoke-async"),
        &owner.token,
        "call",
        &json!({}),
    )
    .await
    .data();
    let execution = text(&queued["execution_id"]);
    let project = format!("{PROJECTS}/{}", owner.project_id);
    let cases = [
        (FUNCTIONS.to_owned(), owner.new_function("other")),
        (PROJECTS.to_owned(), json!({ "name": "other" })),
        (format!("{project}/tokens"), json!({ "name": "ci", "role": "member" })),
        (format!("{project}/invitations"), json!({ "email": "bob@a.b", "role": "member" })),
        (format!("{project}/callback-secret"), json!({})),
        (format!("{FUNCTIONS}/executions/{execution}/replay"), json!({})),
        (format!("{FUNCTIONS}/{function}/invoke-batch"), json!({ "inputs": [1, 2] })),
    ];
    // Both in one transaction: the version of the row is written by the one that made the thing.
    let pool = app.database.pool().await;
    for (path, body) in cases {
        let first = post(&app, &path, &owner.token, &path, &body).await;
        let again = post(&app, &path, &owner.token, &path, &body).await;
        assert_eq!((again.status, again.data()), (first.status, first.data()), "{path}");
        assert_eq!(again.headers.get("location"), first.headers.get("location"), "{path}");
        let together = "select exists (select from idempotency_key k
             where k.key = $1 and k.xmin in (
                 select xmin from project union all select xmin from function
                 union all select xmin from project_token union all select xmin from invitation
                 union all select xmin from callback_secret union all select xmin from execution))";
        let together: bool =
            sqlx::query_scalar(together).bind(&path).fetch_one(&pool).await.unwrap();
        assert!(together, "{path}");
    }
}

#[tokio::test]
async fn who_waits_in_vain_for_the_first_answer_is_told_to_come_again() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let body = json!({ "name": "shop" });
    post(&app, PROJECTS, &ann.token, "k", &body).await.data();
    let pool = app.database.pool().await;
    let held = "update idempotency_key set status = null, held_until = now() + interval '1 hour'";
    sqlx::query(held).execute(&pool).await.unwrap();
    let refused = post(&app, PROJECTS, &ann.token, "k", &body).await;
    refused.assert_error(409, "CONFLICT");
    assert_eq!(refused.headers["retry-after"], "1");
}

#[tokio::test]
async fn a_repeated_answer_has_the_headers_of_the_first() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{function}/invoke");
    let failure = worker::failed(shared::domain::Reason::FunctionError, "no");
    for (key, outcome) in [("well", worker::completed("1")), ("badly", failure)] {
        let body = json!({});
        let call = post(&app, &path, &owner.token, key, &body);
        let (first, _) = tokio::join!(call, worker::run_next(&app, &outcome));
        let again = post(&app, &path, &owner.token, key, &body).await;
        for name in ["x-execution-id", "x-executed-version"] {
            assert_eq!(again.headers[name], first.headers[name], "{key}");
        }
    }
}

#[tokio::test]
async fn a_key_makes_no_body_too_large() {
    let app = App::start_with(|config| {
        let payloads = &mut config.functions.payloads;
        (payloads.source_bytes, payloads.archive_bytes) = (1024, 1024);
    })
    .await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{function}/invoke-batch");
    let body = json!({ "inputs": vec!["x".repeat(1000 * 1000); 5] });
    assert_eq!(post(&app, &path, &owner.token, "k", &body).await.status, 202);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    post(&app, PROJECTS, &ann.token, "k", &json!({ "name": "one" })).await.data();
    let pool = app.database.pool().await;
    let a_day = "update idempotency_key set created_at = created_at - interval '25 hours'";
    sqlx::query(a_day).execute(&pool).await.unwrap();
    let fresh = post(&app, PROJECTS, &ann.token, "k", &json!({ "name": "two" })).await;
    assert_eq!(fresh.status, 201, "it may be used again even before it is cleaned up");
}

#[tokio::test]
async fn a_form_repeated_with_another_boundary_is_the_same_request() {
    let app = App::start().await;
    let owner = app.owner().await;
    let form = |boundary: &str| {
        let fields = owner.new_function("hello");
        let body = format!("--{boundary}\r\nx: y\r\n\r\n{fields}\r\n--{boundary}--\r\n");
        let request = Request::post(PROJECTS)
            .header("authorization", format!("Bearer {}", owner.token))
            .header("content-type", format!("multipart/form-data; boundary={boundary}"))
            .header("idempotency-key", "form");
        send(app.address, request.body(body).unwrap())
    };
    // Answered alike, and never as another request.
    assert_eq!(form("one").await.status, form("two-three").await.status);
}
