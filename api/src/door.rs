//! The door: every request comes in and every answer goes out through here. It gives each request
//! its id, puts every answer into the envelope whatever went wrong, and writes one line of log.

use std::{
    any::Any,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use futures_util::FutureExt;
use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use shared::{
    domain::{Actor, Cause, ErrorCode, Network, RequestId, TraceContext},
    metrics::Http,
    telemetry::{self, Span, SpanKind},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use crate::{
    answer::Data,
    forwarded, headers,
    limits::{Allowance, Refused},
    offered::Offered,
    problem::Problem,
    query,
};

/// Carries the request id, both ways. A client may send its own, `req-` and a UUID or the UUID
/// alone; anything else is replaced.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// W3C Trace Context, both ways: the caller's span in, ours out.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the log says of a request whose caller left before the answer was ready.
const CLIENT_GONE: u16 = 499;

/// Longer paths are none of ours; the log and the answer show only so much of them.
const MAX_PATH_CHARS: usize = 256;

/// What is known of one request while it is carried out.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) cause: Cause,
    /// Where it came from; None for a peer that has no address.
    pub(crate) address: Option<IpAddr>,
    /// The caller's own span, if it said one.
    parent: Option<TraceContext>,
    /// Set by whoever checks the token; for the log.
    pub(crate) actor: Arc<OnceLock<Actor>>,
    /// Room for the body, from when it was read to the end of the request.
    pub(crate) body: Arc<OnceLock<OwnedSemaphorePermit>>,
    /// What is left of this minute; for the headers.
    allowance: Arc<OnceLock<Allowance>>,
}

impl Visit {
    fn of(request: &Request, trusted: &[Network]) -> Self {
        let peer = request.remote_addr().as_socket_addr();
        let address = peer.map(|peer| forwarded::caller(peer.ip(), request.headers(), trusted));
        let parent: Option<TraceContext> =
            request.header(TRACE_PARENT).and_then(|text| text.parse().ok());
        let trace = parent.map_or_else(TraceContext::root, TraceContext::child);
        let cause = Cause { request: request_id(request), trace };
        Self {
            cause,
            address,
            parent,
            actor: Arc::default(),
            body: Arc::default(),
            allowance: Arc::default(),
        }
    }

    /// What is known of this request.
    pub(crate) fn about(request: &Request) -> Result<&Self, Problem> {
        let visit = request.extensions().get();
        visit.ok_or_else(|| Problem::internal("a request came in beside the door"))
    }

    /// Takes down what is left of this minute, also of one that is used up.
    pub(crate) fn note(&self, counted: Result<Option<Allowance>, Refused>) -> Result<(), Problem> {
        let allowance = match &counted {
            Ok(allowance) => *allowance,
            Err(Refused::Limit(allowance)) => Some(*allowance),
            Err(Refused::Unknown(_)) => None,
        };
        if let Some(allowance) = allowance {
            // Whoever was counted first is who the headers are about.
            let _ = self.allowance.set(allowance);
        }
        Ok(counted.map(drop)?)
    }
}

/// Wraps all routes.
pub(crate) struct Door<E> {
    pub(crate) routes: E,
    pub(crate) offered: Offered,
    /// Proxies whose word about an address is taken.
    pub(crate) trusted: Vec<Network>,
    /// One for each request that may be worked on at once.
    pub(crate) places: Semaphore,
    pub(crate) metrics: Http,
}

impl<E: Endpoint> Endpoint for Door<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let visit = Visit::of(&request, &self.trusted);
        let mut line = LogLine::begin(&request, visit.clone(), self.metrics.clone());
        line.handler = self.offered.template(&line.path).map(str::to_owned);
        request.extensions_mut().insert(visit.clone());
        let span = tracing::info_span!("request", request_id = %visit.cause.request);
        let answer = AssertUnwindSafe(self.carry_out(request)).catch_unwind();
        let response = match answer.instrument(span).await {
            Ok(response) => response,
            Err(panic) => response_to(Problem::internal(panic_text(&*panic))),
        };
        let response = self.explain(response, &line);
        if let Some(problem) = response.extensions().get::<Problem>() {
            self.metrics.failed(problem.code);
        }
        let mut response = seal(response, visit.cause);
        headers::add(&mut response, visit.allowance.get());
        line.end(response.status());
        Ok(response)
    }
}

impl<E: Endpoint> Door<E> {
    /// Works on a request if there is room. How this process is, is always told: whoever asks must not
    /// take a busy one for a dead one, nor miss the numbers of the minutes that matter.
    async fn carry_out(&self, request: Request) -> Response {
        let is_about_us = matches!(request.uri().path(), "/health" | "/ready" | "/metrics");
        let place = self.places.try_acquire();
        if place.is_err() && !is_about_us {
            let message = "this process works on as many requests as it can; try again";
            return response_to(Problem::overloaded(message));
        }
        match query::check(&request, &self.offered) {
            Ok(()) => self.routes.get_response(request).await,
            Err(problem) => response_to(problem),
        }
    }

    /// Failures of the HTTP library itself know only a status; gives them a problem.
    fn explain(&self, mut response: Response, line: &LogLine) -> Response {
        let status = response.status();
        let failed = status.is_client_error() || status.is_server_error();
        if !failed || response.extensions().get::<Problem>().is_some() {
            return response;
        }
        let (method, path) = (&line.method, &line.path);
        let problem = match status {
            StatusCode::NOT_FOUND => Problem::new(
                ErrorCode::NotFound,
                format!("there is nothing at {method} {path}; see /docs for what there is"),
            ),
            StatusCode::METHOD_NOT_ALLOWED => {
                // What the document does not describe are pages, which are only read.
                let offered = self.offered.methods(path).unwrap_or_else(|| "GET".to_owned());
                if let Ok(allow) = HeaderValue::try_from(&offered) {
                    response.headers_mut().insert(header::ALLOW, allow);
                }
                let message = format!("{path} does not offer {method}; it offers: {offered}");
                Problem::new(ErrorCode::MethodNotAllowed, message)
            }
            status if status.is_client_error() => {
                Problem::new(ErrorCode::ValidationFailed, "the request could not be read")
            }
            status => Problem::internal(format!("the HTTP library answered {status}")),
        };
        response.extensions_mut().insert(problem);
        response
    }
}

fn request_id(request: &Request) -> RequestId {
    let given = request.header(REQUEST_ID).and_then(|text| {
        text.parse().or_else(|_| format!("{}-{text}", RequestId::PREFIX).parse()).ok()
    });
    given.unwrap_or_else(RequestId::new)
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("without a text"))
}

fn response_to(problem: Problem) -> Response {
    poem::Error::from(problem).into_response()
}

/// Puts an answer into the envelope. Answers that are no JSON of ours (documents, `/health`) pass.
fn seal(mut response: Response, cause: Cause) -> Response {
    let request = cause.request;
    if let Some(Data(data)) = response.extensions_mut().remove() {
        let code = response.status().as_u16();
        let envelope =
            format!(r#"{{"success":true,"code":{code},"data":{data},"request_id":"{request}"}}"#);
        set_json(&mut response, envelope);
    } else if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        refuse(&mut response, &problem, request);
    }
    if let Ok(value) = HeaderValue::try_from(request.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Ok(value) = HeaderValue::try_from(cause.trace.to_string()) {
        response.headers_mut().insert(TRACE_PARENT, value);
    }
    response
}

/// The answer to what never became a request.
pub(crate) fn refusal(problem: &Problem, cause: Cause) -> Response {
    seal(response_to(problem.clone()), cause)
}

fn refuse(response: &mut Response, problem: &Problem, request: RequestId) {
    if let Some(cause) = &problem.cause {
        tracing::error!(request_id = %request, code = problem.code.as_str(), cause, "request failed");
    }
    let status = problem.status();
    response.set_status(status);
    set_json(response, problem.envelope(request));
    if let Some(seconds) = problem.retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    for (name, value) in &problem.headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
}

fn set_json(response: &mut Response, json: String) {
    let json_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json_type);
    response.set_body(json);
}

/// The one log line of a request, its span and its count, written when it ends, also when its caller
/// leaves early. Holds no query and no body: tokens and payloads stay out of the log.
struct LogLine {
    visit: Visit,
    method: String,
    path: String,
    /// The path as the document spells it.
    handler: Option<String>,
    began_at: Instant,
    status: u16,
    metrics: Http,
}

impl LogLine {
    fn begin(request: &Request, visit: Visit, metrics: Http) -> Self {
        Self {
            visit,
            metrics,
            method: request.method().to_string(),
            path: request.uri().path().chars().take(MAX_PATH_CHARS).collect(),
            handler: None,
            began_at: Instant::now(),
            status: CLIENT_GONE,
        }
    }

    fn end(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Named as the semantic conventions for HTTP spell it.
    fn span(&self, took: Duration) -> Span {
        let handler = self.handler.as_deref().unwrap_or_default();
        let mut attributes = vec![
            ("http.request.method", self.method.clone().into()),
            ("http.route", handler.to_owned().into()),
            ("http.response.status_code", i64::from(self.status).into()),
            ("apprun.request_id", self.visit.cause.request.to_string().into()),
        ];
        if let Some(actor) = self.visit.actor.get() {
            attributes.push(("apprun.tenant_id", actor.tenant.to_string().into()));
        }
        Span {
            context: self.visit.cause.trace,
            parent: self.visit.parent,
            name: format!("{} {handler}", self.method).trim_end().to_owned().into(),
            kind: SpanKind::Server,
            began_at: SystemTime::now() - took,
            took,
            attributes,
            failed: self.status >= 500,
        }
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let (actor, took) = (self.visit.actor.get(), self.began_at.elapsed());
        self.metrics.answered(&self.method, self.handler.as_deref(), self.status, took);
        telemetry::tell(|| self.span(took));
        tracing::info!(
            request_id = %self.visit.cause.request,
            trace_id = format!("{:032x}", self.visit.cause.trace.trace_id()),
            method = self.method,
            path = self.path,
            status = self.status,
            address = self.visit.address.map(tracing::field::display),
            duration_ms = took.as_secs_f64() * 1000.0,
            tenant_id = actor.map(|actor| tracing::field::display(actor.tenant)),
            user_id = actor.map(|actor| tracing::field::display(actor.user)),
            "request",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::Mutex,
    };

    use poem::endpoint::make_sync;
    use serde_json::{Value, json};
    use shared::{metrics::Metrics, store::Db};
    use test_support::TestDatabase;

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        /// Collects what this thread logs until the guard is dropped.
        fn collect(&self) -> tracing::subscriber::DefaultGuard {
            let log = self.clone();
            let subscriber =
                tracing_subscriber::fmt().json().with_writer(move || log.clone()).finish();
            tracing::subscriber::set_default(subscriber)
        }

        fn lines(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    fn door<E>(routes: E, metrics: &Metrics) -> Door<E> {
        let (offered, places) = (Offered::default(), Semaphore::new(1));
        Door { routes, offered, trusted: Vec::new(), places, metrics: metrics.http.clone() }
    }

    /// Sends a request full of secrets; gives back the answer and what was logged.
    async fn ask(inner: impl Endpoint<Output = Response>) -> (Value, Vec<Value>) {
        let log = Log::default();
        let guard = log.collect();
        let request = Request::builder()
            .uri_str("/some/path?token=secret")
            .header("authorization", "Bearer secret")
            .header("x-request-id", "0199a0b0-0000-7000-8000-000000000000")
            .body("secret");
        let response = door(inner, &Metrics::new("0")).get_response(request).await;
        drop(guard);
        let body = response.into_body().into_string().await.unwrap();
        (serde_json::from_str(&body).unwrap(), log.lines())
    }

    fn actor() -> Actor {
        Actor { user: shared::domain::UserId::new(), tenant: shared::domain::TenantId::new() }
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_for_the_caller_and_a_text_in_the_log() {
        let (answer, log) = ask(make_sync(|_| -> Response { panic!("the inside text") })).await;
        assert_eq!((&answer["code"], &answer["error"]["code"]), (&json!(500), &json!("INTERNAL")));
        assert!(!answer.to_string().contains("inside text"));
        let failure = &log[0]["fields"];
        assert_eq!(failure["cause"], "a handler panicked: the inside text");
        assert_eq!(failure["request_id"], answer["request_id"]);
    }

    #[tokio::test]
    async fn a_request_leaves_one_line_that_says_who_and_what_and_no_secret() {
        let actor = actor();
        let inner = make_sync(move |request| {
            let visit: &Visit = request.extensions().get().unwrap();
            visit.actor.set(actor).unwrap();
            Response::builder().extension(Data("{}".to_owned())).finish()
        });
        let (_, log) = ask(inner).await;
        assert_eq!(log.len(), 1, "{log:?}");
        let fields = &log[0]["fields"];
        assert_eq!(fields["request_id"], "req-0199a0b0-0000-7000-8000-000000000000");
        assert_eq!((&fields["method"], &fields["path"]), (&json!("GET"), &json!("/some/path")));
        assert_eq!(fields["status"], 200);
        assert!(fields["duration_ms"].is_f64());
        assert_eq!(fields["tenant_id"], actor.tenant.to_string());
        assert_eq!(fields["user_id"], actor.user.to_string());
        assert!(!log[0].to_string().contains("secret"), "{log:?}");
    }

    #[tokio::test]
    async fn a_caller_who_leaves_is_logged_and_counted_as_gone() {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 1).await.unwrap();
        let (log, metrics) = (Log::default(), Metrics::new("0"));
        let _guard = log.collect();
        let never = poem::endpoint::make(|_| std::future::pending::<Response>());
        let door = door(never, &metrics);
        let mut call = Box::pin(door.get_response(Request::default()));
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
        assert_eq!(log.lines()[0]["fields"]["status"], CLIENT_GONE);
        let counted = r#"apprun_http_requests_total{method="GET",status="499"} 1"#;
        assert!(metrics.scrape(&db).await.lines().any(|line| line == counted));
    }
}
