//! GET /executions/counts

use shared::{
    domain::{ExecutionStatus, ProjectId},
    store::execution_report,
};

use super::{history::Conditions, views::ExecutionCounts};
use crate::{ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, projects};

pub(super) async fn counts(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    conditions: Conditions,
) -> Result<Okay<ExecutionCounts>, Problem> {
    projects::access::find(state, caller, project, Action::ReadExecution).await?;
    let filter = conditions.filter(Some(project));
    let counts = execution_report::counts(&state.db, caller.actor.tenant, filter).await?;
    let count = |status| counts.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
    Ok(Okay::new(ExecutionCounts {
        pending: count(ExecutionStatus::Pending),
        running: count(ExecutionStatus::Running),
        completed: count(ExecutionStatus::Completed),
        failed: count(ExecutionStatus::Failed),
        cancelled: count(ExecutionStatus::Cancelled),
    }))
}
