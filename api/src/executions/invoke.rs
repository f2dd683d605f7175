//! POST /functions/{function_id}/invoke

use std::time::Duration;

use poem::{IntoResponse, Response, http::HeaderName};
use poem_openapi::{
    ApiResponse,
    registry::{MetaHeader, MetaResponses, MetaSchema, Registry},
};
use shared::{
    domain::{
        ErrorCode, ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, JsonText, OnDisconnect,
        Reason, TenantId, VersionNumber,
    },
    store::{
        StoreError,
        call::Terms,
        cancel::{self, Cancelled},
        commit,
        execution_report::Execution,
    },
    telemetry::chain,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    call::{self, Incoming},
    get,
    invoke_async::queued,
    views::{Called, InvokeFunction, Queued},
};
use crate::{
    ApiState,
    answer::{Accepted, Okay},
    auth::Caller,
    params::{self, LineCount},
    problem::Problem,
    shape::{inline, mebibytes, milliseconds},
};

/// For waiting in the queue and recording the outcome, on top of the function's own timeout.
const MARGIN: Duration = Duration::from_secs(10);

/// RFC 7240: says which of the caller's preferences was followed.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// In every answer about a call that was accepted, for who does not read its body.
pub(crate) const EXECUTION_ID: HeaderName = HeaderName::from_static("x-execution-id");
pub(crate) const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-executed-version");

/// What a caller says besides the input.
pub(super) struct How {
    pub(super) version: Option<VersionNumber>,
    pub(super) timeout: Option<params::Duration>,
    pub(super) log_tail: Option<LineCount>,
    pub(super) on_disconnect: OnDisconnect,
    pub(super) respond_async: bool,
}

/// The answer: what came out or, for who prefers not to wait, where to look for it.
pub(crate) enum Invoked {
    Done(Okay<Called>),
    Queued(Accepted<Queued>),
}

impl IntoResponse for Invoked {
    fn into_response(self) -> Response {
        match self {
            Self::Done(answer) => answer.into_response(),
            Self::Queued(answer) => answer.into_response(),
        }
    }
}

impl ApiResponse for Invoked {
    fn meta() -> MetaResponses {
        let mut done = Okay::<Called>::meta().responses;
        let mut queued = Accepted::<Queued>::meta().responses;
        for response in &mut done {
            response.headers.push(described(&EXECUTION_ID, "The id of this call."));
            response.headers.push(described(&EXECUTED_VERSION, "The version that ran."));
        }
        for response in &mut queued {
            let says = "The preference that was followed: `respond-async`.";
            response.headers.push(described(&PREFERENCE_APPLIED, says));
        }
        MetaResponses { responses: done.into_iter().chain(queued).collect() }
    }

    fn register(registry: &mut Registry) {
        Okay::<Called>::register(registry);
        Accepted::<Queued>::register(registry);
    }
}

fn described(name: &HeaderName, says: &str) -> MetaHeader {
    MetaHeader {
        name: name.to_string(),
        description: Some(says.to_owned()),
        required: true,
        deprecated: false,
        schema: inline(MetaSchema::new("string")),
    }
}

pub(super) async fn invoke(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: InvokeFunction,
    how: How,
) -> Result<Invoked, Problem> {
    let input = body.input.unwrap_or_else(JsonText::null);
    call::check_input(state, "input", &input)?;
    let mode = if how.respond_async { ExecutionMode::Async } else { ExecutionMode::Sync };
    let timeout = how.timeout.map(|timeout| timeout.0);
    let mut incoming = Incoming::begin(state, caller, id, mode).await?;
    let execution_id = caller.execution_id();
    let calls = [(execution_id, input)];
    let terms = Terms { timeout, version: how.version, ..Terms::default() };
    if how.respond_async {
        let (_, accepted) = incoming.accept(&calls, terms).await?;
        incoming.commit(&accepted).await?;
        let answer =
            Accepted::new(queued(execution_id, &accepted)).at(call::location(execution_id));
        return Ok(Invoked::Queued(answer.header(PREFERENCE_APPLIED, "respond-async".into())));
    }
    // Before the commit: the end may come before it returns, and so may the caller leave.
    let watch = state.signals.watch(execution_id.0);
    let guard = (how.on_disconnect == OnDisconnect::Cancel)
        .then(|| CancelWhenGone::new(state, caller, execution_id));
    let called = async {
        let (callee, accepted) = incoming.accept(&calls, terms).await?;
        incoming.commit(&accepted).await?;
        let own_timeout = Duration::from_secs(callee.timeout_seconds.unwrap_or_default().into());
        let deadline = Instant::now() + timeout.unwrap_or(own_timeout) + MARGIN;
        match get::when_final(state, caller, execution_id, watch, deadline).await {
            Ok(execution) => answer(execution, how.log_tail),
            // "Try again" would be said of a call that was accepted, and make it twice.
            Err(problem) if problem.code == ErrorCode::Overloaded => Err(goes_on(execution_id)),
            Err(problem) => Err(problem),
        }
    };
    let called = match guard {
        Some(guard) => guard.around(called).await,
        None => called.await,
    };
    called.map(Invoked::Done)
}

/// Cancels an execution when its caller leaves: then the server drops the handling of the request and
/// this with it or, under an idempotency key, goes on to the answer that is kept.
struct CancelWhenGone {
    left: CancellationToken,
    armed: Option<(ApiState, TenantId, ExecutionId)>,
}

impl CancelWhenGone {
    fn new(state: &ApiState, caller: &Caller, id: ExecutionId) -> Self {
        let armed = Some((state.clone(), caller.actor.tenant, id));
        Self { left: caller.left(), armed }
    }

    /// Makes the call and waits for it.
    async fn around<T>(mut self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        let left = self.left.clone();
        let answer = tokio::select! {
            answer = &mut call => answer,
            () = left.cancelled() => {
                self.cancel();
                call.await
            }
        };
        self.armed = None;
        answer
    }

    fn cancel(&mut self) {
        if let Some((state, tenant, id)) = self.armed.take() {
            tokio::spawn(cancel_gone(state, tenant, id));
        }
    }
}

impl Drop for CancelWhenGone {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Looks again when there is nothing to cancel: a COMMIT may still be on its way.
async fn cancel_gone(state: ApiState, tenant: TenantId, id: ExecutionId) {
    for wait in [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(2)] {
        tokio::time::sleep(wait).await;
        match try_to_cancel(&state, tenant, id).await {
            Ok(Some(cancelled)) => return super::cancel::tell(&state, id, cancelled),
            Ok(None) => {}
            // It goes on, and is bounded by its time limit.
            Err(error) => tracing::warn!(%id, error = chain(&error), "not cancelled"),
        }
    }
}

async fn try_to_cancel(
    state: &ApiState,
    tenant: TenantId,
    id: ExecutionId,
) -> Result<Option<Cancelled>, StoreError> {
    let mut tx = state.db.begin_for(tenant).await?;
    let cancelled = cancel::cancel(&mut tx, tenant, id).await?;
    commit(tx).await.map(|()| cancelled)
}

/// The answer when the wait is over before the call.
fn goes_on(id: ExecutionId) -> Problem {
    let message = format!("the call goes on; see GET {}", call::location(id));
    Problem::new(ErrorCode::FuncExecTimeout, message).with("execution_id", id.to_string())
}

/// The output of an execution that completed; of any other, what became of it.
fn answer(execution: Execution, log_tail: Option<LineCount>) -> Result<Okay<Called>, Problem> {
    let (id, status) = (execution.summary.id, execution.summary.status);
    let version = execution.summary.version.to_string();
    let mut problem = match (status, execution.summary.reason) {
        (ExecutionStatus::Completed, _) => {
            let answer = Okay::new(called(execution, log_tail));
            return Ok(answer
                .header(EXECUTION_ID, id.to_string())
                .header(EXECUTED_VERSION, version));
        }
        (ExecutionStatus::Failed | ExecutionStatus::Cancelled, reason) => {
            failure(execution, reason, log_tail)
        }
        (ExecutionStatus::Pending | ExecutionStatus::Running, _) => {
            goes_on(id).with("status", status.as_str())
        }
    };
    problem.headers.push((EXECUTION_ID, id.to_string()));
    problem.headers.push((EXECUTED_VERSION, version.clone()));
    Err(problem.with("version", version))
}

fn called(execution: Execution, log_tail: Option<LineCount>) -> Called {
    Called {
        execution_id: execution.summary.id,
        version: execution.summary.version.to_string(),
        output: execution.output.unwrap_or_else(JsonText::null),
        duration: milliseconds(execution.summary.timings.run_ms.unwrap_or_default()),
        memory_used: mebibytes(execution.summary.peak_memory_bytes.unwrap_or_default()),
        logs: tail(execution.logs, log_tail),
    }
}

fn failure(execution: Execution, reason: Option<Reason>, log_tail: Option<LineCount>) -> Problem {
    let code = match reason {
        Some(Reason::Timeout) => ErrorCode::FuncExecTimeout,
        _ => ErrorCode::FuncExecFailed,
    };
    let reason = reason.map_or("cancelled", Reason::as_str);
    let message = match &execution.summary.error {
        Some(error) => format!("the call failed ({reason}): {error}"),
        None => format!("the call failed ({reason})"),
    };
    Problem::new(code, message)
        .with("execution_id", execution.summary.id.to_string())
        .with("reason", reason)
        .with("error", execution.summary.error)
        .with("logs", tail(execution.logs, log_tail))
}

/// The last lines of a log, all of them when nobody says how many.
fn tail(logs: String, lines: Option<LineCount>) -> String {
    let Some(LineCount(lines)) = lines else { return logs };
    let skipped = logs.lines().count().saturating_sub(lines.into());
    logs.lines().skip(skipped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use shared::{
        domain::{RequestId, Role},
        store::execution_report::{Summary, Timings},
    };
    use time::OffsetDateTime;

    use super::*;

    fn execution(status: ExecutionStatus) -> Execution {
        let summary = Summary {
            id: ExecutionId::new(),
            function: FunctionId::new(),
            version: 1,
            mode: ExecutionMode::Sync,
            status,
            reason: None,
            error: None,
            timings: Timings::default(),
            peak_memory_bytes: None,
            attempt: 1,
            worker: None,
            caller: None,
            request: RequestId::new(),
            replay_of: None,
            run_at: None,
            queued_at: OffsetDateTime::UNIX_EPOCH,
            started_at: None,
            completed_at: None,
        };
        Execution {
            summary,
            role: Role::Viewer,
            input: JsonText::null(),
            output: None,
            earlier_attempts: Vec::new(),
            logs: String::new(),
            logs_truncated: false,
            degraded: Vec::new(),
        }
    }

    #[test]
    fn a_wait_that_is_over_before_the_call_says_where_it_goes_on() {
        for status in [ExecutionStatus::Pending, ExecutionStatus::Running] {
            let execution = execution(status);
            let id = execution.summary.id.to_string();
            let problem = answer(execution, None).err().unwrap();
            assert_eq!(problem.code, ErrorCode::FuncExecTimeout);
            assert!(problem.message.contains(&format!("/api/v1/functions/executions/{id}")));
            assert_eq!(problem.details["execution_id"], id);
            assert_eq!(problem.details["status"], status.as_str());
            assert_eq!(problem.details["version"], "1");
        }
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let tail = |lines| tail("one\ntwo\n\nfour".to_owned(), lines);
        assert_eq!(tail(None), "one\ntwo\n\nfour");
        assert_eq!(tail(Some(LineCount(2))), "\nfour");
        assert_eq!(tail(Some(LineCount(9))), "one\ntwo\n\nfour");
        assert_eq!(tail(Some(LineCount(0))), "");
    }
}
