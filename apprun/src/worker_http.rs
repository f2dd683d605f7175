//! A worker's own small HTTP side, off unless `worker_http_addr` is set: `/health`, `/ready` and
//! `/metrics`. It knows no token, so it belongs on an address that only the operator reaches.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use compiler::Toolchains;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use shared::{metrics, metrics::Metrics, store::Db};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::wiring::VERSION;

/// A database that takes longer counts as away.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// For a client that connects and says nothing.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Between an accept that failed and the next.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// What the answers are made of.
#[derive(Debug, Clone)]
pub(crate) struct WorkerHttp {
    pub(crate) db: Db,
    pub(crate) metrics: Metrics,
    pub(crate) started_at: Instant,
    /// Cancelled while the worker finishes what runs and takes nothing new.
    pub(crate) draining: CancellationToken,
    /// Set once jobs are taken.
    pub(crate) started: Arc<OnceLock<Started>>,
}

/// What a worker says of itself once it takes jobs.
#[derive(Debug)]
pub(crate) struct Started {
    /// The layers of isolation that the operator allowed to be missing.
    pub(crate) degraded: Vec<String>,
    /// What it builds with; made ready beside the calls.
    pub(crate) toolchains: watch::Receiver<Toolchains>,
}

impl WorkerHttp {
    /// Answers until `done`, which comes after the worker has drained.
    pub(crate) async fn serve(self, listener: TcpListener, done: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = done.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            };
            let (answers, done) = (self.clone(), done.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answers = answers.clone();
                    async move { Ok::<_, Infallible>(answers.answer(&request).await) }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service);
                // An error here is the client's: it left, or sent something that is not HTTP.
                tokio::select! {
                    _ = connection => {}
                    () = done.cancelled() => {}
                }
            });
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/health") => json_answer(StatusCode::OK, &self.health().await),
            (&Method::GET, "/ready") => self.ready().await,
            (&Method::GET, "/metrics") => {
                let accept = request.headers().get(ACCEPT).and_then(|it| it.to_str().ok());
                let kind = metrics::content_type(accept);
                answer(StatusCode::OK, kind, self.metrics.scrape(&self.db).await)
            }
            _ => {
                let offered = json!({ "offered": ["GET /health", "GET /ready", "GET /metrics"] });
                json_answer(StatusCode::NOT_FOUND, &offered)
            }
        }
    }

    /// Whoever restarts processes asks this; a database that is away is no reason to.
    async fn health(&self) -> Value {
        let latency = self.ping().await;
        let toolchains = self.started.get().map(|started| started.toolchains.borrow().clone());
        let toolchains = toolchains.unwrap_or_default();
        json!({
            "status": if latency.is_some() { "ok" } else { "degraded" },
            "version": VERSION,
            "uptime_seconds": self.started_at.elapsed().as_secs(),
            "checks": { "database": {
                "status": if latency.is_some() { "ok" } else { "failed" },
                "latency_ms": latency.map(|latency| latency.as_secs_f64() * 1000.0),
            } },
            "toolchains": toolchains.installed(),
            "unusable_toolchains": toolchains.unusable(),
        })
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        let degraded = self.started.get().map(|started| &started.degraded);
        let trouble = if degraded.is_none() {
            Some("starting")
        } else if self.draining.is_cancelled() {
            Some("draining")
        } else if self.ping().await.is_none() {
            Some("the database is away")
        } else if degraded.is_some_and(|layers| !layers.is_empty()) {
            Some("degraded")
        } else {
            None
        };
        let status =
            if trouble.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let text = json!({ "status": trouble.unwrap_or("ready"), "degraded": degraded });
        json_answer(status, &text)
    }

    async fn ping(&self) -> Option<Duration> {
        let asked_at = Instant::now();
        let answer = tokio::time::timeout(PING_TIMEOUT, self.db.ping()).await;
        matches!(answer, Ok(Ok(()))).then(|| asked_at.elapsed())
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    answer(status, "application/json", body.to_string())
}

fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use compiler::Places;
    use http_body_util::BodyExt;
    use test_support::TestDatabase;

    use super::*;

    /// A worker that has started, lacks these layers, and has this database.
    async fn worker(database: &TestDatabase, lacking: &[&str]) -> WorkerHttp {
        let started = OnceLock::new();
        let degraded = lacking.iter().copied().map(str::to_owned).collect();
        let toolchains = Toolchains::discover(&Places::from_environment()).await;
        let (_, toolchains) = watch::channel(toolchains);
        started.set(Started { degraded, toolchains }).unwrap();
        WorkerHttp {
            db: Db::connect(database.url(), 2).await.unwrap(),
            metrics: Metrics::new(VERSION),
            started_at: Instant::now(),
            draining: CancellationToken::new(),
            started: Arc::new(started),
        }
    }

    async fn readiness(worker: &WorkerHttp) -> (u16, Value) {
        let response = worker.ready().await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_worker_is_ready_once_it_takes_jobs_and_until_it_drains() {
        let database = TestDatabase::create().await;
        let mut worker = worker(&database, &[]).await;
        assert_eq!(readiness(&worker).await, (200, json!({ "status": "ready", "degraded": [] })));
        worker.draining.cancel();
        assert_eq!(readiness(&worker).await.0, 503);
        assert_eq!(readiness(&worker).await.1["status"], "draining");
        worker.started = Arc::default();
        let starting = json!({ "status": "starting", "degraded": null });
        assert_eq!(readiness(&worker).await, (503, starting), "it was stopped while it started");
    }

    #[tokio::test]
    async fn a_worker_without_a_layer_is_healthy_and_not_ready() {
        let database = TestDatabase::create().await;
        let worker = worker(&database, &["cpu"]).await;
        let degraded = json!({ "status": "degraded", "degraded": ["cpu"] });
        assert_eq!(readiness(&worker).await, (503, degraded));
        assert_eq!(worker.health().await["status"], "ok");
    }

    #[tokio::test]
    async fn a_worker_tells_what_it_builds_with() {
        let database = TestDatabase::create().await;
        let mut worker = worker(&database, &[]).await;
        let health = worker.health().await;
        let versions = health["toolchains"].as_array().unwrap().iter().map(|it| &it["language"]);
        assert_eq!(versions.collect::<Vec<_>>(), ["go", "rust"], "{health}");
        assert!(health["unusable_toolchains"].is_array(), "{health}");
        worker.started = Arc::default();
        assert_eq!(worker.health().await["toolchains"], json!([]), "it still starts");
    }

    #[tokio::test]
    async fn a_worker_without_its_database_is_not_ready_and_says_which_check_fails() {
        let database = TestDatabase::create().await;
        let worker = worker(&database, &[]).await;
        worker.db.close().await;
        assert_eq!(readiness(&worker).await.0, 503);
        assert_eq!(readiness(&worker).await.1["status"], "the database is away");
        let health = worker.health().await;
        assert_eq!(
            (&health["status"], &health["checks"]["database"]["status"]),
            (&json!("degraded"), &json!("failed"))
        );
    }
}
