//! What all ways of calling a function share: the input is bounded, the time limit may only be
//! shortened, and a call is accepted only while a version serves.

use std::{fmt::Display, time::Duration};

use shared::{
    domain::{
        ErrorCode, ExecutionId, ExecutionMode, FunctionId, FunctionStatus, JsonText, VersionNumber,
    },
    queue::JobKind,
    store::{
        Tx,
        build_report::{self, BuildReport},
        call::{self, Accepted, Busy, Callee, NewCalls, Room, Terms},
        commit_for_sure, version,
    },
};

use super::callback;
use crate::{
    ApiState, auth::Caller, functions::versions, permission::Action, problem::Problem,
    resource::Resource,
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

/// Calls on their way in: one transaction, from the first look at the function to the rows that make the
/// calls durable.
pub(super) struct Incoming<'a> {
    state: &'a ApiState,
    caller: &'a Caller,
    pub(super) tx: Tx,
    function: FunctionId,
    mode: ExecutionMode,
}

impl<'a> Incoming<'a> {
    pub(super) async fn begin(
        state: &'a ApiState,
        caller: &'a Caller,
        function: FunctionId,
        mode: ExecutionMode,
    ) -> Result<Self, Problem> {
        let tx = state.db.begin_for(caller.actor.tenant).await?;
        Ok(Self { state, caller, tx, function, mode })
    }

    /// Takes calls in, all of them or none. Only who waits is told that there is no room; others wait
    /// for it. What is wrong with them is found out in the same trip to the database, or after it: a
    /// problem ends the transaction, and so nothing of them stays.
    pub(super) async fn accept(
        &mut self,
        calls: &[(ExecutionId, JsonText)],
        mut terms: Terms,
    ) -> Result<(Callee, Accepted), Problem> {
        if terms.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Problem::invalid_field("timeout", "must be longer than nothing"));
        }
        if self.mode == ExecutionMode::Sync {
            let limits = self.state.call_limits.clone();
            terms.only_within = Some(Room { limits, to_spare: MOST_UNSEEN });
        }
        let (function, mode, cause) = (self.function, self.mode, self.caller.origin.cause);
        let least_role = Action::InvokeFunction.least_role();
        let mut new = NewCalls { calls, function, least_role, mode, cause, terms };
        let (mut callee, mut accepted) = self.try_to_accept(&new).await?;
        if accepted.is_none()
            && let Some(room) = &mut new.terms.only_within
        {
            // Near a limit they are counted one after the other.
            room.to_spare = 0;
            call::in_turn(&mut self.tx, self.caller.actor.tenant).await?;
            (callee, accepted) = self.try_to_accept(&new).await?;
        }
        match accepted {
            Some(accepted) => Ok((callee, accepted)),
            None => Err(self.refusal(&callee).await?),
        }
    }

    async fn try_to_accept(
        &mut self,
        new: &NewCalls<'_>,
    ) -> Result<(Callee, Option<Accepted>), Problem> {
        let found = call::accept(&mut self.tx, self.caller.actor, new).await?;
        let (callee, accepted) = found.ok_or_else(FunctionId::not_found)?;
        self.check(&callee, &new.terms).await?;
        Ok((callee, accepted))
    }

    /// Refuses what the caller may not do with the function, or the function cannot do.
    async fn check(&mut self, callee: &Callee, terms: &Terms) -> Result<(), Problem> {
        Action::InvokeFunction.allow(callee.role)?;
        if let Some(number) = terms.version {
            self.check_version(number).await?;
        }
        check_timeout(callee, terms.timeout)?;
        callback::check(self.state, &mut self.tx, callee.project, terms.callback.as_ref()).await
    }

    async fn check_version(&mut self, number: VersionNumber) -> Result<(), Problem> {
        let (tenant, function) = (self.caller.actor.tenant, self.function);
        let version = version::find(&mut self.tx, tenant, function, number).await?;
        let version = version.ok_or_else(|| versions::not_found(number))?;
        if version.has_binary { Ok(()) } else { Err(versions::not_built(function, &version)) }
    }

    /// Makes what was accepted durable, and wakes a worker.
    pub(super) async fn commit(self, accepted: &Accepted) -> Result<(), Problem> {
        commit_for_sure(&self.state.db, self.tx, &accepted.number).await?;
        self.state.signals.jobs_pushed(&[JobKind::Execute]);
        Ok(())
    }

    /// Says why nothing was accepted.
    async fn refusal(&mut self, callee: &Callee) -> Result<Problem, Problem> {
        let tenant = self.caller.actor.tenant;
        if self.mode == ExecutionMode::Sync && callee.status == FunctionStatus::Active {
            let busy = call::busy(&mut self.tx, tenant, callee.id).await?;
            let limits = self.state.config.functions.limits_of(busy.plan);
            return Ok(no_room(callee, busy, limits.concurrent_executions));
        }
        let build = build_report::latest(&mut self.tx, tenant, callee.id).await?;
        Ok(not_ready(callee, build))
    }
}

/// The time limit that a caller asks for, which the function's own bounds.
fn check_timeout(callee: &Callee, asked: Option<Duration>) -> Result<(), Problem> {
    let (Some(asked), Some(limit_seconds)) = (asked, callee.timeout_seconds) else {
        return Ok(());
    };
    if asked <= Duration::from_secs(limit_seconds.into()) {
        return Ok(());
    }
    let message = format!(
        "is {} s; the function allows {limit_seconds} s, which a caller may shorten and not extend",
        asked.as_secs_f64()
    );
    Err(Problem::invalid_field("timeout", message).with("limit_seconds", limit_seconds))
}

/// The limit that is in the way. What was busy a moment ago may be free by now.
fn no_room(callee: &Callee, busy: Busy, tenant_limit: u32) -> Problem {
    let (message, scope, limit) = match busy.max_concurrency {
        Some(limit) if busy.of_function >= limit && busy.of_tenant < tenant_limit => (
            format!("'{}' runs at most {limit} calls at once, and they are busy", callee.name),
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
fn not_ready(callee: &Callee, build: Option<BuildReport>) -> Problem {
    let id = callee.id;
    let (build_id, cause) = build.map(|build| (build.id.to_string(), build.message)).unzip();
    let message = match callee.status {
        FunctionStatus::Failed => format!(
            "the build of '{}' failed: {}; see GET /api/v1/functions/{id}",
            callee.name,
            cause.flatten().unwrap_or_else(|| "it gave no reason".to_owned()),
        ),
        FunctionStatus::Pending | FunctionStatus::Active => {
            format!("'{}' is still being built; see GET /api/v1/functions/{id}", callee.name)
        }
    };
    Problem::new(ErrorCode::FuncNotReady, message)
        .with("status", callee.status.as_str())
        .with("build_id", build_id)
}
