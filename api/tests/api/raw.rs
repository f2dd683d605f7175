//! What comes over the wire and is no request as it should be: answered, ended, never waited for.

use std::time::Duration;

use api::Patience;
use hyper::Method;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::App;

const LOGIN: &str = "POST /api/v1/auth/login HTTP/1.1\r\nhost: test\r\n\
                     content-type: application/json\r\n";
const SHORT: Duration = Duration::from_millis(100);
/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(20);

async fn app() -> App {
    let patience = Patience { head: SHORT, body: SHORT, answer: SHORT };
    App::start_with(|config| config.patience = patience).await
}

/// All that is said until the server closes.
async fn said(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    timeout(LONG, stream.read_to_end(&mut text)).await.expect("the server closes").unwrap();
    String::from_utf8(text).unwrap()
}

async fn answer_to(app: &App, sent: &str) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    said(&mut stream).await
}

/// One answer and nothing else, in the envelope, and the last of its connection.
fn assert_answer(text: &str, status: u16, code: &str) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains("\r\nconnection: close"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["code"], &body["error"]["code"]), (&status.into(), &code.into()), "{body}");
    let id = body["request_id"].as_str().unwrap();
    assert!(head.contains(&format!("\r\nx-request-id: {id}\r\n")), "{head}");
}

#[tokio::test]
async fn what_is_no_http_is_told_so_in_the_envelope() {
    let app = App::start().await;
    for garbage in [
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "hello there\r\n\r\n",
        "GET /health HTTP/3.0\r\nhost: test\r\n\r\n",
        "GET /health\u{0} HTTP/1.1\r\nhost: test\r\n\r\n",
        "GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_answer(&answer_to(&app, garbage).await, 400, "VALIDATION_FAILED");
    }
    let counted = app.call(Method::GET, "/metrics", None, None).await.body;
    let line = r#"apprun_http_requests_total{method="other",status="400"} 6"#;
    assert!(counted.contains(line), "{counted}");
}

#[tokio::test]
async fn a_good_request_before_garbage_on_one_connection_is_answered_as_ever() {
    let app = App::start().await;
    let sent = "GET /nothing HTTP/1.1\r\nhost: test\r\n\r\nnonsense\r\n\r\n";
    let text = answer_to(&app, sent).await;
    assert_eq!(text.matches("HTTP/1.1 ").count(), 2, "{text}");
    let (first, second) = text.split_at(text.rfind("HTTP/1.1 ").unwrap());
    assert!(first.starts_with("HTTP/1.1 404") && first.contains("NOT_FOUND"), "{first}");
    assert_answer(second, 400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_by_what_is_too_large() {
    let app = App::start().await;
    let long = "a".repeat(100 * 1024);
    let header = format!("GET /health HTTP/1.1\r\nhost: test\r\nx-long: {long}\r\n\r\n");
    assert_answer(&answer_to(&app, &header).await, 431, "HEADERS_TOO_LARGE");
    let path = format!("GET /{long} HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_answer(&answer_to(&app, &path).await, 414, "URI_TOO_LONG");
    let many = "x: y\r\n".repeat(101);
    let many = format!("GET /health HTTP/1.1\r\nhost: test\r\n{many}\r\n");
    assert_answer(&answer_to(&app, &many).await, 431, "HEADERS_TOO_LARGE");
}

#[tokio::test]
async fn a_slow_head_is_told_so_and_a_silent_connection_is_closed_without_a_word() {
    let app = app().await;
    let slow = answer_to(&app, "GET /health HTTP/1.1\r\nhost: te").await;
    assert_answer(&slow, 408, "REQUEST_TIMEOUT");
    assert_eq!(answer_to(&app, "").await, "");
    let kept_open = answer_to(&app, "GET /health HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(kept_open.matches("HTTP/1.1 ").count(), 1, "{kept_open}");
    assert!(kept_open.starts_with("HTTP/1.1 200 OK\r\n"), "{kept_open}");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_or_is_too_large_is_told_so() {
    let app = app().await;
    let slow = format!("{LOGIN}content-length: 100\r\n\r\n{{");
    let text = answer_to(&app, &slow).await;
    assert!(text.starts_with("HTTP/1.1 408 ") && text.contains("REQUEST_TIMEOUT"), "{text}");
    // All of it is sent, and the answer is not cut off by what nobody read.
    let large = format!("{LOGIN}content-length: 500000\r\n\r\n{}", "x".repeat(500_000));
    let text = answer_to(&app, &large).await;
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("PAYLOAD_TOO_LARGE"), "{text}");
}

#[tokio::test]
async fn whoever_takes_no_answers_loses_the_connection() {
    let app = app().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let ask = "GET /openapi.json HTTP/1.1\r\nhost: test\r\n\r\n".repeat(1000);
    let refused = async { while stream.write_all(ask.as_bytes()).await.is_ok() {} };
    timeout(LONG, refused).await.expect("a connection ends on which nobody listens");
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_told_to_come_again_and_small_ones_pass() {
    let app = App::start_with(|config| config.max_body_bytes = 1000).await;
    let head =
        |bytes: usize| format!("{LOGIN}connection: close\r\ncontent-length: {bytes}\r\n\r\n");
    let mut first = TcpStream::connect(app.address).await.unwrap();
    first.write_all(head(900).as_bytes()).await.unwrap();
    let second = format!("{}{}", head(200), " ".repeat(200));
    let full = async {
        loop {
            let text = answer_to(&app, &second).await;
            if text.starts_with("HTTP/1.1 503 ") {
                return text;
            }
        }
    };
    let text = timeout(LONG, full).await.expect("the first one is noticed");
    assert!(text.contains("OVERLOADED") && text.contains("retry-after: 1"), "{text}");
    let small = answer_to(&app, &format!("{}{{}}", head(2))).await;
    assert!(small.starts_with("HTTP/1.1 400 "), "{small}");

    first.write_all(" ".repeat(900).as_bytes()).await.unwrap();
    assert!(said(&mut first).await.starts_with("HTTP/1.1 400 "), "the first one goes on");
    assert!(answer_to(&app, &second).await.starts_with("HTTP/1.1 400 "), "there is room again");
    let chunked = format!(
        "{LOGIN}connection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    );
    for _ in 0..2 {
        let text = answer_to(&app, &chunked).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "of unknown length: {text}");
    }
}
