//! GET /functions/{function_id}/executions

use shared::{
    domain::{FunctionId, IdCursor, PageSize},
    store::call,
};

use super::{access, execution_views::ExecutionSummary};
use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, permission::Action, problem::Problem,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    function: FunctionId,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
    access::find(state, caller, function, Action::ReadExecution).await?;
    let rows = call::list(&state.db, caller.actor.tenant, function, behind, size).await?;
    let cursor = |row: &call::Summary| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, ExecutionSummary::from)))
}
