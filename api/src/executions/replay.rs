//! POST /functions/executions/{execution_id}/replay

use shared::{
    domain::{ErrorCode, ExecutionId, ExecutionStatus},
    queue::JobKind,
    store::call::{self, Replayed},
};

use super::{call::location, get, views::Queued};
use crate::{
    ApiState, answer::Accepted, auth::Caller, conclude::conclude, permission::Action,
    problem::Problem,
};

pub(super) async fn replay(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
) -> Result<Accepted<Queued>, Problem> {
    let execution = get::find(state, caller, id).await?;
    Action::ReplayExecution.allow(execution.role)?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let replayed = call::replay(&mut tx, caller.actor, id, caller.origin.cause).await?;
    let Replayed::As(new) = replayed else {
        let message = "the function was deleted, or this version of it can no longer be run";
        return Err(Problem::new(ErrorCode::FuncNotReady, message));
    };
    let queued = Queued {
        execution_id: new,
        status: ExecutionStatus::Pending,
        version: execution.summary.version.to_string(),
        run_at: None,
    };
    let answer = Accepted::new(queued).at(location(new));
    conclude(state, caller, tx, caller.deed("execution.replay", id.0), &answer).await?;
    state.signals.jobs_pushed(&[JobKind::Execute]);
    Ok(answer)
}
