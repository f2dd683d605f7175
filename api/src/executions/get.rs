//! GET /functions/executions/{execution_id}

use shared::{
    domain::{ErrorCode, ExecutionId},
    queue::Watch,
    store::execution_report::{self, Execution as Row},
};
use tokio::time::Instant;

use super::views::Execution;
use crate::{
    ApiState, answer::Okay, auth::Caller, params::Wait, permission::Action, problem::Problem,
    resource::Resource,
};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
    wait: Option<Wait>,
) -> Result<Okay<Execution>, Problem> {
    // Before the first look: an end between look and watch would go unnoticed.
    let watch = wait.map(|wait| (state.signals.watch(id.0), Instant::now() + wait.0));
    let mut execution = find(state, caller, id).await?;
    if let Some((watch, deadline)) = watch.filter(|_| !execution.summary.status.is_final()) {
        let message = "as many requests wait for executions as may; ask again, or without 'wait'";
        let place = state.waiting_places.try_acquire();
        let _place = place.map_err(|_| Problem::overloaded(message))?;
        execution = when_final(state, caller, id, watch, deadline).await?;
    }
    Ok(Okay::new(execution.into()))
}

/// The execution, if it is there for the caller.
pub(super) async fn find(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
) -> Result<Row, Problem> {
    let execution = execution_report::find(&state.db, caller.actor, id).await?;
    let execution = execution.ok_or_else(ExecutionId::not_found)?;
    Action::ReadExecution.allow(execution.role)?;
    Ok(execution)
}

/// The execution as soon as it has ended, or as it is at the deadline. A database that is away
/// meanwhile is waited for: the call goes on without us.
pub(super) async fn when_final(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
    mut watch: Watch,
    deadline: Instant,
) -> Result<Row, Problem> {
    loop {
        let in_time = watch.changed(deadline).await;
        let is_worth_reading = watch.was_hinted() || !in_time;
        match look(state, caller, id, is_worth_reading).await {
            Ok(Some(execution)) if execution.summary.status.is_final() || !in_time => {
                return Ok(execution);
            }
            Ok(_) => {}
            Err(problem) if in_time && problem.code == ErrorCode::Overloaded => {}
            Err(problem) => return Err(problem),
        }
    }
}

/// Most looks that nothing prompted find that it goes on: those do without the payloads.
async fn look(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
    is_worth_reading: bool,
) -> Result<Option<Row>, Problem> {
    if !is_worth_reading {
        let status = execution_report::status(&state.db, caller.actor.tenant, id).await?;
        if status.is_some_and(|status| !status.is_final()) {
            return Ok(None);
        }
    }
    find(state, caller, id).await.map(Some)
}
