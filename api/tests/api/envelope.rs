//! Whatever goes wrong, the answer has one shape, a request id, and gives nothing away.

use hyper::{Method, Request};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{App, FUNCTIONS, send, worker};

const LOGIN: &str = "/api/v1/auth/login";

#[tokio::test]
async fn unknown_routes_and_wrong_methods_have_the_envelope() {
    let app = App::start().await;
    for path in ["/", "/nothing", "/api/v1", "/api/v1/nothing", "/api/v1/auth", "/api/v2/functions"]
    {
        app.call(Method::GET, path, None, None).await.assert_error(404, "NOT_FOUND");
    }
    for (method, path, offered) in [
        (Method::GET, LOGIN, "POST"),
        (Method::DELETE, FUNCTIONS, "POST, GET"),
        (Method::PATCH, "/api/v1/functions/any/invoke", "POST"),
        (Method::POST, "/health", "GET"),
        (Method::POST, "/docs", "GET"),
        (Method::DELETE, "/docs/errors/NOT_FOUND", "GET"),
        (Method::PUT, "/openapi.json", "GET"),
        (Method::POST, "/metrics", "GET"),
    ] {
        let reply = app.call(method, path, None, None).await;
        reply.assert_error(405, "METHOD_NOT_ALLOWED");
        assert_eq!(reply.headers["allow"], offered, "{path}");
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused() {
    let app = App::start().await;
    for body in [
        "",
        "{",
        "nonsense",
        "{\"email\": }",
        "[]",
        "1",
        "null",
        "\"text\"",
        "{\"a\":1}{}",
        "\u{0}",
    ] {
        let request = Request::post(LOGIN).header("content-type", "application/json");
        let reply = send(app.address, request.body(body.to_owned()).unwrap()).await;
        reply.assert_error(400, "VALIDATION_FAILED");
    }
    let not_unicode: &[u8] = b"{\"email\": \"\xff\"}";
    let request = Request::post(LOGIN).header("content-type", "application/json");
    send(app.address, request.body(not_unicode).unwrap())
        .await
        .assert_error(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let app = App::start().await;
    let body = json!({ "email": "a@b.c", "password": "correct horse" }).to_string();
    for content_type in [Some("text/plain"), Some("application/x-www-form-urlencoded"), None] {
        let mut request = Request::post(LOGIN);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let reply = send(app.address, request.body(body.clone()).unwrap()).await;
        reply.assert_error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn an_oversized_body_is_refused_before_it_is_sent() {
    let app = App::start().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST {LOGIN} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
         content-length: 1000000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn an_oversized_body_of_unknown_length_is_refused_while_it_comes() {
    let app = App::start().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST {LOGIN} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    stream.write_all(chunk.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_sane_request_id_is_kept_and_any_other_replaced() {
    let app = App::start().await;
    let uuid = "0199a0b0-0000-7000-8000-000000000000";
    let cases = [
        (format!("req-{uuid}"), true),
        (uuid.to_owned(), true),
        (format!("func-{uuid}"), false),
        ("mine".to_owned(), false),
    ];
    for (sent, kept) in cases {
        let request = Request::get("/nothing").header("x-request-id", &sent);
        let reply = send(app.address, request.body(String::new()).unwrap()).await;
        reply.assert_error(404, "NOT_FOUND");
        let id = reply.headers["x-request-id"].to_str().unwrap();
        assert_eq!(id == format!("req-{uuid}"), kept, "{sent} became {id}");
    }
}

#[tokio::test]
async fn health_tells_about_the_process_without_the_envelope() {
    let app = App::start().await;
    let reply = app.call(Method::GET, "/health", None, None).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers.contains_key("x-request-id"));
    let health = reply.json();
    assert_eq!((&health["status"], &health["version"]), (&json!("ok"), &json!("0.0.0")));
    assert_eq!(health["checks"]["database"]["status"], "ok");
    assert!(health["uptime_seconds"].is_u64());
    let ready = app.call(Method::GET, "/ready", None, None).await;
    assert_eq!(ready.data(), json!({ "status": "ready", "degraded": [] }));
}

#[tokio::test]
async fn success_and_failure_come_in_one_order_and_lead_to_a_page() {
    let app = App::start().await;
    let good = app.call(Method::GET, "/ready", None, None).await.body;
    let bad = app.call(Method::GET, "/nothing", None, None).await;
    let place = |body: &str, key: &str| body.find(&format!("\"{key}\":")).unwrap();
    let order = |body: &str, inside| {
        let places = ["success", "code", inside, "request_id"].map(|key| place(body, key));
        assert!(places.is_sorted(), "{body}");
    };
    order(&good, "data");
    order(&bad.body, "error");
    let docs = bad.error()["docs"].as_str().unwrap().to_owned();
    let page = app.call(Method::GET, &docs, None, None).await;
    assert_eq!(page.headers["content-type"], "text/markdown; charset=utf-8");
    assert!(page.body.starts_with("# NOT_FOUND"), "{}", page.body);
    app.call(Method::GET, "/docs/errors/NONE", None, None).await.assert_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn every_answer_says_how_it_may_be_used() {
    let app = App::start().await;
    for path in ["/ready", "/nothing", "/docs", "/openapi.json"] {
        let headers = app.call(Method::GET, path, None, None).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
    }
    let headers = app.call(Method::GET, "/ready", None, None).await.headers;
    assert_eq!(headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_full_process_refuses_at_once_and_still_says_how_it_is() {
    let app = App::start_with(|config| config.max_requests = 1).await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{function}/invoke");
    let call = app.post(&path, Some(&owner.token), json!({ "input": 1 }));
    let meanwhile = async {
        let job = worker::claim_next(&app).await;
        let refused = app.get("/api/v1/projects", &owner.token).await;
        refused.assert_error(503, "OVERLOADED");
        assert_eq!(refused.headers["retry-after"], "1");
        for path in ["/health", "/ready", "/metrics"] {
            assert_eq!(app.call(Method::GET, path, None, None).await.status, 200, "{path}");
        }
        worker::run(&app, &job, &worker::completed("1")).await;
    };
    let (called, ()) = tokio::join!(call, meanwhile);
    called.data();
    assert_eq!(app.get("/api/v1/projects", &owner.token).await.status, 200);
}

#[tokio::test]
async fn nothing_of_a_request_becomes_a_header_or_a_line_of_its_own() {
    let app = App::start().await;
    let request = Request::get("/nothing%0d%0aset-cookie:%20a=b?x=%0d%0ay:z")
        .header("x-request-id", "req-1\tset-cookie: a=b");
    let reply = send(app.address, request.body(String::new()).unwrap()).await;
    reply.assert_error(404, "NOT_FOUND");
    assert!(!reply.headers.contains_key("set-cookie"));
    assert!(reply.headers["x-request-id"].to_str().unwrap().starts_with("req-0"));
}

#[tokio::test]
async fn without_a_database_the_process_is_degraded_and_not_ready() {
    let app = App::start().await;
    app.db.close().await;
    let health = app.call(Method::GET, "/health", None, None).await;
    assert_eq!(health.status, 200);
    assert_eq!(health.json()["status"], "degraded");
    assert_eq!(health.json()["checks"]["database"]["status"], "failed");

    let login = json!({ "email": "a@b.c", "password": "correct horse" });
    for reply in
        [app.call(Method::GET, "/ready", None, None).await, app.post(LOGIN, None, login).await]
    {
        reply.assert_error(503, "OVERLOADED");
        assert_eq!(reply.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn trouble_on_our_side_gives_nothing_away() {
    let app = App::start().await;
    let pool = app.database.pool().await;
    sqlx::query("alter table user_account rename to gone").execute(&pool).await.unwrap();
    let login = json!({ "email": "a@b.c", "password": "correct horse" });
    let reply = app.post(LOGIN, None, login).await;
    reply.assert_error(500, "INTERNAL");
    for secret in ["user_account", "sql", "relation"] {
        assert!(!reply.body.contains(secret), "{}", reply.body);
    }
}
