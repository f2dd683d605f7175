//! Callbacks against real receivers: what arrives, and what follows each answer.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use shared::{
    domain::{ExecutionId, Reach},
    seal::SecretKeys,
    store::{Db, callback},
};
use sqlx::PgPool;
use test_support::TestDatabase;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::Callbacks;

const SECRET: [u8; 32] = [7; 32];
/// Larger than a double can hold, with spaces and an escape.
const OUTPUT: &str = r#"{"n": 123456789012345678901234567890, "a": [1.10, "\u0000é"]}"#;

/// Somebody who wants to be told: answers in turn, and shows what came.
struct Receiver {
    url: String,
    requests: mpsc::UnboundedReceiver<Request>,
    _serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(given, _)| given == name).unwrap().1
    }
}

impl Receiver {
    async fn answering(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?a=1", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                sender.send(read(&mut stream).await).unwrap();
                let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { url, requests, _serving: serving }
    }
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Request {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |line: &String| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    let headers: Vec<_> = lines[1..].iter().map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse();
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Request { line: lines[0].clone(), headers, body: String::from_utf8(body).unwrap() }
}

/// A project with a secret, and somebody who sends its callbacks.
struct Fixture {
    sql: PgPool,
    due: Arc<Notify>,
    stop: CancellationToken,
    sending: JoinHandle<()>,
    _database: TestDatabase,
}

impl Fixture {
    async fn start(reach: &str) -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 4).await.unwrap();
        let sql = database.pool().await;
        sqlx::raw_sql(include_str!("callbacks.sql")).execute(&sql).await.unwrap();
        let (due, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let reach: Reach = reach.parse().unwrap();
        // Written before secrets were sealed; a worker seals it, and signs as before.
        let keys: SecretKeys = SecretKeys::text_of([9; 32]).expose().parse().unwrap();
        let sealed = callback::reseal(&db, &keys).await.unwrap();
        assert_eq!((sealed.renewed, sealed.unreadable), (1, 0));
        let keys = Some(keys);
        let callbacks = Callbacks::new(db, reach, "test".to_owned(), due.clone(), keys).unwrap();
        let sending = tokio::spawn(callbacks.send_until(stop.clone()));
        Self { sql, due, stop, sending, _database: database }
    }

    /// An execution that has just ended, with somebody to be told.
    async fn end(&self, url: &str) -> ExecutionId {
        let id = ExecutionId::new();
        sqlx::query("select end_execution($1, $2, $3)")
            .bind(id.0)
            .bind(url)
            .bind(OUTPUT)
            .execute(&self.sql)
            .await
            .unwrap();
        self.due.notify_one();
        id
    }

    /// Waits until so many attempts are recorded; status, then code and error of the last one.
    async fn after(&self, id: ExecutionId, attempts: i32) -> (String, Option<i32>, Option<String>) {
        loop {
            let row = sqlx::query_as(
                "select c.status, a.status_code, a.error from callback c
                 join callback_attempt a using (execution_id)
                 where c.execution_id = $1 and a.attempt = $2",
            );
            let row = row.bind(id.0).bind(attempts).fetch_optional(&self.sql).await.unwrap();
            if let Some(row) = row {
                return row;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn seconds_to_next(&self, id: ExecutionId) -> f64 {
        sqlx::query_scalar(
            "select extract(epoch from due_at - now())::float8 from callback where execution_id = $1",
        )
        .bind(id.0)
        .fetch_one(&self.sql)
        .await
        .unwrap()
    }

    async fn make_due(&self, id: ExecutionId) {
        let update = "update callback set due_at = now() where execution_id = $1";
        sqlx::query(update).bind(id.0).execute(&self.sql).await.unwrap();
        self.due.notify_one();
    }

    async fn stop(self) {
        self.stop.cancel();
        self.sending.await.unwrap();
    }
}

#[tokio::test]
async fn the_end_of_an_execution_is_told_once_and_signed() {
    let f = Fixture::start("127.0.0.1").await;
    let mut receiver = Receiver::answering(&["204 No Content"]).await;
    let id = f.end(&receiver.url).await;
    let request = receiver.requests.recv().await.unwrap();
    assert_eq!(f.after(id, 1).await, ("delivered".to_owned(), Some(204), None));

    assert_eq!(request.line, "POST /hook?a=1 HTTP/1.1");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("webhook-id"), id.to_string());
    let signed = format!("{id}.{}.{}", request.header("webhook-timestamp"), request.body);
    let mut mac = Hmac::<Sha256>::new_from_slice(&SECRET).unwrap();
    mac.update(signed.as_bytes());
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(request.header("webhook-signature"), expected);
    assert!(request.body.starts_with(r#"{"type":"execution.completed","timestamp":""#));
    assert!(request.body.contains(&format!(r#""output":{OUTPUT},"#)), "{}", request.body);
    f.stop().await;
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_under_the_same_id() {
    let f = Fixture::start("127.0.0.1").await;
    let answers = &["500 No", "429 Later\r\nretry-after: 3600", "302 Go\r\nlocation: /x", "200 OK"];
    let mut receiver = Receiver::answering(answers).await;
    let id = f.end(&receiver.url).await;
    let first = receiver.requests.recv().await.unwrap();
    for (attempt, status) in [(1, 500), (2, 429), (3, 302)] {
        assert_eq!(f.after(id, attempt).await, ("pending".to_owned(), Some(status), None));
        let seconds = f.seconds_to_next(id).await;
        match status {
            429 => assert!(seconds > 3000.0, "the receiver asked for an hour: {seconds}"),
            _ => assert!((0.0..100.0).contains(&seconds), "{seconds}"),
        }
        f.make_due(id).await;
        let again = receiver.requests.recv().await.unwrap();
        assert_eq!(again.line, first.line, "no redirect is followed");
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
    }
    assert_eq!(f.after(id, 4).await, ("delivered".to_owned(), Some(200), None));
    f.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone() {
    let f = Fixture::start("127.0.0.1").await;
    let receiver = Receiver::answering(&["410 Gone"]).await;
    let id = f.end(&receiver.url).await;
    assert_eq!(f.after(id, 1).await, ("failed".to_owned(), Some(410), None));
    f.stop().await;
}

#[tokio::test]
async fn nobody_is_reached_inside_and_the_log_of_deliveries_says_why() {
    let f = Fixture::start("203.0.113.1").await;
    let mut receiver = Receiver::answering(&["200 OK"]).await;
    for url in [receiver.url.clone(), receiver.url.replace("127.0.0.1", "localhost")] {
        let id = f.end(&url).await;
        let (status, code, error) = f.after(id, 1).await;
        assert_eq!((status.as_str(), code), ("pending", None));
        assert!(error.unwrap().contains("callbacks may not reach"), "{url}");
    }
    assert!(receiver.requests.try_recv().is_err());
    f.stop().await;
}

#[tokio::test]
async fn an_attempt_that_was_lost_is_made_again_and_a_late_one_changes_nothing() {
    let f = Fixture::start("127.0.0.1").await;
    let mut receiver = Receiver::answering(&["500 No", "200 OK"]).await;
    let id = f.end(&receiver.url).await;
    receiver.requests.recv().await.unwrap();
    f.after(id, 1).await;
    // A worker began the second attempt and was lost.
    sqlx::query("update callback set attempts = 2").execute(&f.sql).await.unwrap();
    f.make_due(id).await;
    assert_eq!(f.after(id, 3).await, ("delivered".to_owned(), Some(200), None));
    let attempts: Vec<i32> = sqlx::query_scalar(
        "select attempt from callback_attempt where execution_id = $1 order by 1",
    )
    .bind::<Uuid>(id.0)
    .fetch_all(&f.sql)
    .await
    .unwrap();
    assert_eq!(attempts, [1, 3]);
    f.stop().await;
}
