//! GET /functions/executions/{execution_id}

use shared::{
    domain::ExecutionId,
    queue::Watch,
    store::call::{self, Execution as Row},
};
use tokio::time::Instant;

use super::execution_views::Execution;
use crate::{
    ApiState,
    answer::Okay,
    auth::Caller,
    params::{Resource, Wait},
    permission::Action,
    problem::Problem,
};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
    wait: Option<Wait>,
) -> Result<Okay<Execution>, Problem> {
    let execution = match wait {
        Some(Wait(wait)) => {
            // Before the first look: an end between look and watch would go unnoticed.
            let watch = state.signals.watch(id.0);
            until_final(state, caller, id, watch, Instant::now() + wait).await?
        }
        None => find(state, caller, id).await?,
    };
    Ok(Okay::new(execution.into()))
}

async fn find(state: &ApiState, caller: &Caller, id: ExecutionId) -> Result<Row, Problem> {
    let execution = call::find(&state.db, caller.actor, id).await?;
    let execution = execution.ok_or_else(ExecutionId::not_found)?;
    Action::ReadExecution.allow(execution.role)?;
    Ok(execution)
}

/// The execution when it has ended, or as it is at the deadline.
pub(super) async fn until_final(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
    mut watch: Watch,
    deadline: Instant,
) -> Result<Row, Problem> {
    let mut execution = find(state, caller, id).await?;
    while !execution.summary.status.is_final() && watch.changed(deadline).await {
        execution = find(state, caller, id).await?;
    }
    Ok(execution)
}
