//! What all ways of calling a function share: the input is bounded, the time limit may only be
//! shortened, and a call is accepted only while a version serves.

use std::fmt::Display;

use shared::{
    domain::{
        CallbackUrl, ErrorCode, ExecutionId, ExecutionMode, FunctionId, FunctionStatus, JsonText,
        VersionNumber,
    },
    queue::JobKind,
    store::{
        Tx,
        build_report::{self, BuildReport},
        call::{self, Accepted, Busy, NewCalls, Room, Terms},
        commit_for_sure,
        function::Function,
        version,
    },
};

use super::callback;
use crate::{
    ApiState,
    auth::Caller,
    functions::{access, versions},
    params::Duration,
    permission::Action,
    problem::Problem,
};

/// Most calls end sooner than this: worth another try.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Sync calls of one tenant that may be on their way in at the same moment: each holds a connection, of
/// which an API has ten at most, so this is enough for six of them. With more, or when one stalls before
/// its commit, a call too many may get in and wait; that none too many run is held by the claim.
const MOST_UNSEEN: u32 = 64;

/// Where an execution is looked up, by its id.
pub(crate) fn location(id: impl Display) -> String {
    format!("/api/v1/functions/executions/{id}")
}

/// Refuses an input that is over the limit.
pub(super) fn check_input(state: &ApiState, field: &str, input: &JsonText) -> Result<(), Problem> {
    let (found, limit) = (input.as_str().len(), state.config.functions.payloads.input_bytes);
    if found <= limit {
        return Ok(());
    }
    let message = format!("'{field}' is {found} bytes of JSON; at most {limit} are allowed");
    Err(Problem::new(ErrorCode::PayloadTooLarge, message)
        .with("field", field)
        .with("limit_bytes", limit))
}

/// A call on its way in: one transaction from the first look at the function to the rows that make
/// the call durable.
pub(super) struct Incoming<'a> {
    state: &'a ApiState,
    caller: &'a Caller,
    pub(super) tx: Tx,
    mode: ExecutionMode,
    /// As it is at the version that the caller names; or as it serves.
    pub(super) function: Function,
}

impl<'a> Incoming<'a> {
    /// Lets the caller in to the function.
    pub(super) async fn of(
        state: &'a ApiState,
        caller: &'a Caller,
        id: FunctionId,
        version: Option<VersionNumber>,
        mode: ExecutionMode,
    ) -> Result<Self, Problem> {
        let mut tx = state.db.begin_for(caller.actor.tenant).await?;
        let function = access::find(&mut tx, caller, id, Action::InvokeFunction).await?;
        let mut incoming = Self { state, caller, tx, mode, function };
        if let Some(number) = version {
            incoming.use_version(number).await?;
        }
        Ok(incoming)
    }

    async fn use_version(&mut self, number: VersionNumber) -> Result<(), Problem> {
        let id = self.function.id;
        let version = version::find(&mut self.tx, self.caller.actor.tenant, id, number).await?;
        let version = version.ok_or_else(|| versions::not_found(number))?;
        if !version.has_binary {
            return Err(versions::not_built(id, &version));
        }
        self.function.timeout_seconds = version.settings.timeout_seconds;
        Ok(())
    }

    /// The time limit that a caller asks for, which the function's own bounds.
    pub(super) fn timeout(
        &self,
        asked: Option<Duration>,
    ) -> Result<Option<std::time::Duration>, Problem> {
        let limit_seconds = self.function.timeout_seconds;
        let limit = std::time::Duration::from_secs(limit_seconds.into());
        match asked.map(|asked| asked.0) {
            Some(asked) if asked.is_zero() => {
                Err(Problem::invalid_field("timeout", "must be longer than nothing"))
            }
            Some(asked) if asked > limit => {
                let message = format!(
                    "is {} s; the function allows {limit_seconds} s, which a caller may shorten \
                     and not extend",
                    asked.as_secs_f64()
                );
                Err(Problem::invalid_field("timeout", message).with("limit_seconds", limit_seconds))
            }
            asked => Ok(asked),
        }
    }

    /// Refuses a callback that could not be made.
    pub(super) async fn check_callback(
        &mut self,
        url: Option<&CallbackUrl>,
    ) -> Result<(), Problem> {
        callback::check(self.state, &mut self.tx, self.function.project, url).await
    }

    /// Takes calls in, all of them or none. Only who waits is told that there is no room; others wait
    /// for it.
    pub(super) async fn accept(
        &mut self,
        calls: &[(ExecutionId, JsonText)],
        terms: Terms,
    ) -> Result<Accepted, Problem> {
        let tenant = self.caller.actor.tenant;
        let (function, mode, cause) = (self.function.id, self.mode, self.caller.origin.cause);
        let mut new = NewCalls { calls, function, mode, cause, terms };
        if mode == ExecutionMode::Sync {
            let limits = self.state.call_limits.clone();
            new.terms.only_within = Some(Room { limits, to_spare: MOST_UNSEEN });
        }
        let mut accepted = call::accept(&mut self.tx, self.caller.actor, &new).await?;
        if accepted.is_none()
            && let Some(room) = &mut new.terms.only_within
        {
            // Near a limit they are counted one after the other.
            room.to_spare = 0;
            call::in_turn(&mut self.tx, tenant).await?;
            accepted = call::accept(&mut self.tx, self.caller.actor, &new).await?;
        }
        match accepted {
            Some(accepted) => Ok(accepted),
            None => Err(self.refusal().await?),
        }
    }

    /// Makes what was accepted durable, and wakes a worker.
    pub(super) async fn commit(self, accepted: &Accepted) -> Result<(), Problem> {
        commit_for_sure(&self.state.db, self.tx, &accepted.number).await?;
        self.state.signals.jobs_pushed(&[JobKind::Execute]);
        Ok(())
    }

    /// Says why nothing was accepted.
    async fn refusal(&mut self) -> Result<Problem, Problem> {
        let (tenant, function) = (self.caller.actor.tenant, &self.function);
        if self.mode == ExecutionMode::Sync && function.status == FunctionStatus::Active {
            let busy = call::busy(&mut self.tx, tenant, function.id).await?;
            let limits = self.state.config.functions.limits_of(busy.plan);
            return Ok(no_room(function, busy, limits.concurrent_executions));
        }
        let build = build_report::latest(&mut self.tx, tenant, function.id).await?;
        Ok(not_ready(function, build))
    }
}

/// The limit that is in the way. What was busy a moment ago may be free by now.
fn no_room(function: &Function, busy: Busy, tenant_limit: u32) -> Problem {
    let (message, scope, limit) = match busy.max_concurrency {
        Some(limit) if busy.of_function >= limit && busy.of_tenant < tenant_limit => (
            format!("'{}' runs at most {limit} calls at once, and they are busy", function.name),
            "function",
            limit,
        ),
        _ => (
            format!(
                "the plan '{}' allows {tenant_limit} calls at once, and they are busy",
                busy.plan
            ),
            "tenant",
            tenant_limit,
        ),
    };
    let message = format!("{message}; try again, or use invoke-async, which waits its turn");
    let problem = Problem::new(ErrorCode::FuncQuotaExceeded, message)
        .with("scope", scope)
        .with("limit", limit);
    Problem { retry_after_seconds: Some(RETRY_AFTER_SECONDS), ..problem }
}

/// Says why no version serves, and where to read more.
fn not_ready(function: &Function, build: Option<BuildReport>) -> Problem {
    let id = function.id;
    let (build_id, cause) = build.map(|build| (build.id.to_string(), build.message)).unzip();
    let message = match function.status {
        FunctionStatus::Failed => format!(
            "the build of '{}' failed: {}; see GET /api/v1/functions/{id}",
            function.name,
            cause.flatten().unwrap_or_else(|| "it gave no reason".to_owned()),
        ),
        FunctionStatus::Pending | FunctionStatus::Active => {
            format!("'{}' is still being built; see GET /api/v1/functions/{id}", function.name)
        }
    };
    Problem::new(ErrorCode::FuncNotReady, message)
        .with("status", function.status.as_str())
        .with("build_id", build_id)
}
