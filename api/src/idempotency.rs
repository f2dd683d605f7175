//! `Idempotency-Key`, for every POST at once: the first request with a key runs, and its answer is
//! kept for a day or more; the same request again gets it again. It stands between the door and the routes,
//! so no handler knows of it, except that an execution takes the id that was set aside for it.
//!
//! Kept are answers to requests that made something. One that changed nothing (a wrong field, a
//! limit, trouble of ours) gives its key back, because repeating it is what the client wants.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use shared::{
    domain::{ErrorCode, ExecutionId},
    store::{
        StoreError, execution_report,
        idempotency::{self, Found, KeptAnswer, KeyedRequest, RENEW_EVERY},
    },
    telemetry::chain,
};
use tokio::time::interval;

use crate::{ApiState, answer::Data, auth::Caller, body, problem::Problem};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

const MAX_KEY_CHARS: usize = 255;

/// Sessions are not created by these keys: their answers hold secrets, which are not kept.
const WITHOUT: &str = "/api/v1/auth/";

/// Wraps all routes.
pub(crate) struct Idempotent<E>(pub(crate) Arc<E>);

impl<E: Endpoint + 'static> Endpoint for Idempotent<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match key_of(&request)? {
            Some(key) => once(self.0.clone(), key, request).await,
            None => Ok(self.0.get_response(request).await),
        }
    }
}

/// The key of a request that may create something.
fn key_of(request: &Request) -> Result<Option<String>, Problem> {
    let path = request.uri().path();
    if request.method() != Method::POST || path.starts_with(WITHOUT) {
        return Ok(None);
    }
    let Some(given) = request.headers().get(KEY) else { return Ok(None) };
    let text = given.to_str().unwrap_or_default().trim();
    // The draft standard quotes it; most clients do not.
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if bare.is_empty() || text.len() > MAX_KEY_CHARS || !is_printable {
        let message = format!("must have 1 to {MAX_KEY_CHARS} printable ASCII characters");
        return Err(Problem::invalid_field("idempotency-key", message));
    }
    Ok(Some(bare.to_owned()))
}

async fn once(
    routes: Arc<impl Endpoint + 'static>,
    key: String,
    request: Request,
) -> Result<Response> {
    let state = ApiState::of(&request)?.clone();
    let mut caller = Caller::of(&request).await?;
    let (mut request, mut content) = request.split();
    let max_bytes = state.config.functions.payloads.largest_body_bytes();
    let content = body::read(&request, &mut content, max_bytes).await?;
    let fingerprint = fingerprint(&request, &content);
    let keyed = KeyedRequest { actor: caller.actor, key, fingerprint };
    let path = request.uri().path().to_owned();
    request.set_body(content);
    let keep_days = state.config.retention.idempotency_keys;
    let found = idempotency::take(&state.db, &state.answer_keys, &keyed, keep_days).await;
    match found.map_err(Problem::from)? {
        Found::Free(id) => {
            if let Some(made) = made_before(&state, &keyed, &path, id).await? {
                return Ok(made);
            }
            caller.reserved = Some(id);
            request.extensions_mut().insert(caller);
            // A task of its own: the answer is kept even if nobody waits for it any more.
            let run = run(state, routes, keyed, request);
            let done = tokio::spawn(tracing::Instrument::in_current_span(run)).await;
            Ok(done.map_err(|error| Problem::internal(error.to_string()))?)
        }
        Found::Running(id) => {
            let made = made_before(&state, &keyed, &path, id).await?;
            Ok(made.ok_or_else(still_running)?)
        }
        Found::Answered(kept) => Ok(replay(kept)?),
        Found::Unreadable(id) => {
            let made = made_before(&state, &keyed, &path, id).await?;
            Ok(made.ok_or_else(unreadable)?)
        }
        Found::Other => Err(reused().into()),
    }
}

/// The execution that this request made already, as an async call would answer: its holder still
/// waits for the outcome, or died.
async fn made_before(
    state: &ApiState,
    keyed: &KeyedRequest,
    path: &str,
    id: ExecutionId,
) -> Result<Option<Response>, Problem> {
    if !path.ends_with("/invoke") && !path.ends_with("/invoke-async") {
        return Ok(None);
    }
    let Some(status) = execution_report::status(&state.db, keyed.actor.tenant, id).await? else {
        return Ok(None);
    };
    let queued = json!({ "execution_id": id.to_string(), "status": status.as_str() });
    let kept = KeptAnswer {
        status: StatusCode::ACCEPTED.as_u16(),
        location: Some(format!("/api/v1/functions/executions/{id}")),
        answer: queued.to_string(),
    };
    replay(kept).map(Some)
}

async fn run(
    state: ApiState,
    routes: Arc<impl Endpoint>,
    keyed: KeyedRequest,
    request: Request,
) -> Response {
    let mut answering = std::pin::pin!(routes.get_response(request));
    let mut renewals = interval(RENEW_EVERY);
    renewals.tick().await;
    let response = loop {
        tokio::select! {
            response = &mut answering => break response,
            _ = renewals.tick() => note(idempotency::renew(&state.db, &keyed).await),
        }
    };
    match kept(&response) {
        Some(answer) => {
            note(idempotency::keep(&state.db, &state.answer_keys, &keyed, &answer).await);
        }
        None => note(idempotency::give_back(&state.db, &keyed).await),
    }
    response
}

/// A key that could not be dealt with is free again when its time is over; the answer stands.
fn note(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::warn!(error = chain(&error), "an idempotency key was not updated");
    }
}

/// What is kept of an answer; None when the request made nothing.
fn kept(response: &Response) -> Option<KeptAnswer> {
    let location = response.header(header::LOCATION).map(str::to_owned);
    if let Some(Data(data)) = response.extensions().get() {
        let status = response.status().as_u16();
        return Some(KeptAnswer { status, location, answer: data.clone() });
    }
    let problem: &Problem = response.extensions().get()?;
    let made = matches!(problem.code, ErrorCode::FuncExecFailed | ErrorCode::FuncExecTimeout);
    made.then(|| KeptAnswer {
        status: problem.code.http_status(),
        location,
        answer: json!({
            "code": problem.code, "message": problem.message, "details": problem.details,
        })
        .to_string(),
    })
}

fn replay(kept: KeptAnswer) -> Result<Response, Problem> {
    let unreadable = || Problem::internal("a kept answer cannot be read");
    let status = StatusCode::from_u16(kept.status).map_err(|_| unreadable())?;
    let mut response = if status.is_success() {
        Response::builder().status(status).extension(Data(kept.answer)).finish()
    } else {
        let problem: KeptProblem = serde_json::from_str(&kept.answer).map_err(|_| unreadable())?;
        let KeptProblem { code, message, details } = problem;
        poem::Error::from(Problem { details, ..Problem::new(code, message) }).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(location) = kept.location.and_then(|text| HeaderValue::try_from(text).ok()) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

#[derive(serde::Deserialize)]
struct KeptProblem {
    code: ErrorCode,
    message: String,
    details: Map<String, Value>,
}

fn fingerprint(request: &Request, content: &[u8]) -> [u8; 32] {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(request.method().as_str().as_bytes());
    add(target.as_bytes());
    // A client that repeats a form draws a new boundary; the parts are what it sends.
    match boundary(request) {
        Some(boundary) => between(content, boundary.as_bytes()).for_each(add),
        None => add(content),
    }
    hash.finalize().into()
}

fn boundary(request: &Request) -> Option<&str> {
    let (kind, parameters) = request.content_type()?.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    let boundary = parameters.trim().strip_prefix("boundary=").map(|text| text.trim_matches('"'));
    boundary.filter(|text| is_form && !text.is_empty())
}

/// The pieces of `text` between occurrences of `mark`.
fn between<'a>(text: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let rest = left?;
        match rest.windows(mark.len()).position(|window| window == mark) {
            Some(at) => {
                left = Some(&rest[at + mark.len()..]);
                Some(&rest[..at])
            }
            None => left.take(),
        }
    })
}

fn still_running() -> Problem {
    let message = "the first request with this idempotency key is still being carried out";
    Problem { retry_after_seconds: Some(1), ..Problem::new(ErrorCode::Conflict, message) }
}

fn unreadable() -> Problem {
    let message = "the request with this idempotency key was carried out, and its answer can no longer \
                   be read, because the server's secret was changed; look up what it made";
    Problem::new(ErrorCode::Conflict, message)
}

fn reused() -> Problem {
    let message = "this idempotency key belongs to another request, with another path or body";
    Problem::new(ErrorCode::IdempotencyKeyReused, message)
}
