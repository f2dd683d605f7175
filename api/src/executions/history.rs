//! GET /functions/{function_id}/executions and GET /executions

use shared::{
    domain::{
        ExecutionStatus, FunctionId, IdCursor, PageSize, ProjectId, Reason, RequestId, UserId,
    },
    store::{
        Tx,
        execution_report::{self, Filter, Summary},
    },
};

use super::views::ExecutionSummary;
use crate::{
    ApiState, answer::Okay, auth::Caller, functions::access, page::Page, permission::Action,
    problem::Problem, projects, shape::Timestamp,
};

/// What the query asks for; all of it holds together.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) function: Option<FunctionId>,
    pub(super) status: Option<ExecutionStatus>,
    pub(super) reason: Option<Reason>,
    pub(super) caller: Option<UserId>,
    pub(super) request: Option<RequestId>,
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
}

impl Conditions {
    pub(super) fn filter(self, project: Option<ProjectId>) -> Filter {
        Filter {
            project,
            function: self.function,
            status: self.status,
            reason: self.reason,
            caller: self.caller,
            request: self.request,
            dead_letters: false,
            from: self.from.map(Timestamp::moment),
            to: self.to.map(Timestamp::moment),
        }
    }
}

pub(super) async fn of_function(
    state: &ApiState,
    caller: &Caller,
    function: FunctionId,
    conditions: Conditions,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    access::find(&mut tx, caller, function, Action::ReadExecution).await?;
    let filter = Filter { function: Some(function), ..conditions.filter(None) };
    list(&mut tx, caller, filter, behind, size).await
}

pub(super) async fn of_project(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    conditions: Conditions,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
    projects::access::find(state, caller, project, Action::ReadExecution).await?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    list(&mut tx, caller, conditions.filter(Some(project)), behind, size).await
}

async fn list(
    tx: &mut Tx,
    caller: &Caller,
    filter: Filter,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
    let tenant = caller.actor.tenant;
    let rows = execution_report::list(tx, tenant, filter, behind, size).await?;
    let cursor = |row: &Summary| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, ExecutionSummary::from)))
}
