//! GET /functions/executions/{execution_id}

use shared::{
    domain::{ExecutionId, ExecutionStatus},
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
        until_final(state, caller, id, watch, deadline).await?;
        execution = find(state, caller, id).await?;
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

/// Returns when the execution has ended, or at the deadline.
pub(super) async fn until_final(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
    mut watch: Watch,
    deadline: Instant,
) -> Result<(), Problem> {
    while watch.changed(deadline).await {
        // Without the payloads: most looks find that it goes on.
        let status = execution_report::status(&state.db, caller.actor.tenant, id).await?;
        if status.is_none_or(ExecutionStatus::is_final) {
            break;
        }
    }
    Ok(())
}
