//! `Idempotency-Key`, for every POST at once: the first request with a key runs, and its answer is
//! kept for a day or more; the same request again gets it again. It stands between the door and the routes.
//! A handler that makes something keeps its answer in the same transaction (`keep`), so that a process
//! which dies leaves both or neither. A call that is waited for has no answer yet when it is made: it
//! takes the id that was set aside for it, by which it is found again.
//!
//! Kept are answers to requests that made something. One that changed nothing (a wrong field, a
//! limit, trouble of ours) gives its key back, because repeating it is what the client wants.

mod fingerprint;

use std::{convert::Infallible, sync::Arc, time::Duration};

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{
    domain::{ErrorCode, ExecutionId},
    store::{
        StoreError, Tx, commit,
        execution_report::{self, Execution},
        idempotency::{self, Found, KeptAnswer, KeyedRequest, RENEW_EVERY},
    },
    telemetry::chain,
};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    ApiState,
    answer::{Accepted, Answer, Data},
    auth::Caller,
    body,
    executions::{
        self,
        invoke::{EXECUTED_VERSION, EXECUTION_ID, PREFERENCE_APPLIED},
        views::Queued,
    },
    problem::Problem,
    shape::Timestamp,
};

use fingerprint::fingerprint;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Of an answer that is given again.
const KEPT_HEADERS: [HeaderName; 4] =
    [header::LOCATION, EXECUTION_ID, EXECUTED_VERSION, PREFERENCE_APPLIED];

const MAX_KEY_CHARS: usize = 255;

/// How long a request waits for the answer of the same one that is being carried out. Most things are
/// made sooner; a call that runs longer is answered like an async one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sessions are not created by these keys: their answers hold secrets, which are not kept.
const WITHOUT: &str = "/api/v1/auth/";

/// What a request with a key holds while it is carried out.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    request: KeyedRequest,
    /// Set aside for the execution that it makes.
    pub(crate) execution: ExecutionId,
    /// Cancelled when whoever sent it leaves.
    pub(crate) left: CancellationToken,
}

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
    request.set_body(content);
    match turn(&state, &keyed, request.uri().path()).await? {
        Turn::Over(answer) => Ok(answer),
        Turn::Ours(execution) => {
            let left = CancellationToken::new();
            let _leaving = left.clone().drop_guard();
            let held = Held { request: keyed, execution, left };
            caller.held = Some(held.clone());
            request.extensions_mut().insert(caller);
            // A task of its own: the answer is kept even if nobody waits for it any more.
            let run = run(state, routes, held, request);
            let done = tokio::spawn(tracing::Instrument::in_current_span(run)).await;
            Ok(done.map_err(|error| Problem::internal(error.to_string()))?)
        }
    }
}

/// What a request with a key has to do.
enum Turn {
    /// To be carried out; an execution that it makes has this id.
    Ours(ExecutionId),
    /// Nothing more: it was carried out before.
    Over(Response),
}

/// Takes the key, or waits a little for the answer of whoever holds it.
async fn turn(state: &ApiState, keyed: &KeyedRequest, path: &str) -> Result<Turn, Problem> {
    let deadline = Instant::now() + PATIENCE;
    let keep_days = state.config.retention.idempotency_keys;
    let mut watch = None;
    loop {
        let found = idempotency::take(&state.db, &state.answer_keys, keyed, keep_days).await?;
        let id = match found {
            Found::Free(id) | Found::Running(id) | Found::Unreadable(id) => id,
            Found::Answered(kept) => return replay(kept).map(Turn::Over),
            Found::Other => return Err(reused()),
        };
        if let Some(made) = made_before(state, keyed, path, id).await? {
            return Ok(Turn::Over(made));
        }
        match found {
            Found::Free(id) => return Ok(Turn::Ours(id)),
            Found::Unreadable(_) => return Err(unreadable()),
            _ => {}
        }
        // By the id, because the holder may be another process.
        let watch = watch.get_or_insert_with(|| state.signals.watch(id.0));
        if !watch.changed(deadline).await {
            return Err(still_running());
        }
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
    let is_call = path.ends_with("/invoke") || path.ends_with("/invoke-async");
    if !is_call || execution_report::status(&state.db, keyed.actor.tenant, id).await?.is_none() {
        return Ok(None);
    }
    let made = execution_report::find(&state.db, keyed.actor, id).await?;
    let Some(Execution { summary, .. }) = made else { return Ok(None) };
    let queued = Queued {
        execution_id: id,
        status: summary.status,
        version: summary.version.to_string(),
        run_at: summary.run_at.map(Timestamp::from),
    };
    let answer = Accepted::new(queued).at(executions::location(id));
    replay(answer.kept()?).map(Some)
}

async fn run(
    state: ApiState,
    routes: Arc<impl Endpoint>,
    held: Held,
    request: Request,
) -> Response {
    let response = tokio::select! {
        response = routes.get_response(request) => response,
        never = keep_renewing(&state, &held) => match never {},
    };
    match kept(&response) {
        Some(answer) => note(keep_alone(&state, &held.request, &answer).await),
        None => note(idempotency::give_back(&state.db, &held.request).await),
    }
    // Whoever sent the same meanwhile waits for this.
    state.signals.finished(held.execution.0);
    response
}

/// Beside the request, which goes on while this waits: it may have locked the very row.
async fn keep_renewing(state: &ApiState, held: &Held) -> Infallible {
    let mut ticks = interval(RENEW_EVERY);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        note(idempotency::renew(&state.db, &held.request).await);
    }
}

/// Keeps the answer of what a request makes in the transaction that makes it, so that no end of this
/// process comes between. Does nothing for a request without a key.
pub(crate) async fn keep<T: Serialize, const STATUS: u16>(
    state: &ApiState,
    caller: &Caller,
    tx: &mut Tx,
    answer: &Answer<T, STATUS>,
) -> Result<(), Problem> {
    let Some(held) = &caller.held else { return Ok(()) };
    let kept = answer.kept()?;
    match idempotency::keep(tx, &state.answer_keys, &held.request, &kept).await? {
        true => Ok(()),
        // Not renewed in time: somebody else carries it out.
        false => Err(still_running()),
    }
}

async fn keep_alone(
    state: &ApiState,
    request: &KeyedRequest,
    answer: &KeptAnswer,
) -> Result<(), StoreError> {
    let mut tx = state.db.begin_for(request.actor.tenant).await?;
    idempotency::keep(&mut tx, &state.answer_keys, request, answer).await?;
    commit(tx).await
}

/// A key that could not be dealt with is free again when its time is over; the answer stands.
fn note(done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::warn!(error = chain(&error), "an idempotency key was not updated");
    }
}

/// What is kept of an answer; None when the request made nothing.
fn kept(response: &Response) -> Option<KeptAnswer> {
    if let Some(Data(data)) = response.extensions().get() {
        let status = response.status().as_u16();
        let headers = response.headers().iter().filter(|(name, _)| KEPT_HEADERS.contains(name));
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        return Some(KeptAnswer { status, headers: headers.collect(), answer: data.clone() });
    }
    let problem: &Problem = response.extensions().get()?;
    let made = matches!(problem.code, ErrorCode::FuncExecFailed | ErrorCode::FuncExecTimeout);
    made.then(|| KeptAnswer {
        status: problem.code.http_status(),
        headers: problem
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
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
    for (name, value) in kept.headers {
        let name = HeaderName::try_from(name).map_err(|_| unreadable())?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| unreadable())?);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct KeptProblem {
    code: ErrorCode,
    message: String,
    details: Map<String, Value>,
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
