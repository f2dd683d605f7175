//! POST /functions/executions/{execution_id}/cancel

use std::time::Duration;

use shared::{
    domain::{ErrorCode, ExecutionId, ExecutionStatus},
    store::{
        audit,
        cancel::{self, Cancelled},
        commit,
    },
};
use tokio::time::Instant;

use super::{get, views::Execution};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
};

/// A running call ends within a second; a worker that is in trouble takes longer, and the answer
/// then shows the execution as it is.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn cancel(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
) -> Result<Okay<Execution>, Problem> {
    let execution = get::find(state, caller, id).await?;
    Action::CancelExecution.allow(execution.role)?;
    // Before the commit: the end may come before it returns.
    let watch = state.signals.watch(id.0);
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let cancelled = cancel::cancel(&mut tx, caller.actor.tenant, id).await?;
    let cancelled = cancelled.ok_or_else(ExecutionId::not_found)?;
    if !matches!(cancelled, Cancelled::TooLate(_)) {
        audit::record(&mut tx, caller.deed("execution.cancel", id.0)).await?;
    }
    commit(tx).await?;
    tell(state, id, cancelled);
    let execution = match cancelled {
        Cancelled::Asked => {
            get::when_final(state, caller, id, watch, Instant::now() + PATIENCE).await?
        }
        Cancelled::AtOnce | Cancelled::TooLate(_) => get::find(state, caller, id).await?,
    };
    match execution.summary.status {
        status @ (ExecutionStatus::Completed | ExecutionStatus::Failed) => Err(too_late(status)),
        _ => Ok(Okay::new(execution.into())),
    }
}

/// Wakes whoever has to know, after the commit.
pub(super) fn tell(state: &ApiState, id: ExecutionId, cancelled: Cancelled) {
    match cancelled {
        Cancelled::AtOnce => state.signals.finished(id.0),
        Cancelled::Asked => state.signals.cancel_requested(id.0),
        Cancelled::TooLate(_) => {}
    }
}

fn too_late(status: ExecutionStatus) -> Problem {
    let message = format!("the execution has ended as '{status}' and cannot be cancelled");
    Problem::new(ErrorCode::Conflict, message).with("status", status.as_str())
}
