//! GET /functions/{function_id}/logs

use shared::{
    domain::{FunctionId, LogCursor, PageSize},
    store::call,
};

use super::{access, execution_views::LogLine};
use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, permission::Action, problem::Problem,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    function: FunctionId,
    behind: Option<LogCursor>,
    size: PageSize,
) -> Result<Okay<Page<LogLine>>, Problem> {
    access::find(state, caller, function, Action::ReadExecution).await?;
    let rows = call::logs(&state.db, caller.actor.tenant, function, behind, size).await?;
    let cursor = |row: &call::LogEntry| row.place.to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, LogLine::from)))
}
