//! GET /functions/{function_id}/logs

use shared::{
    domain::{FunctionId, LogCursor, PageSize},
    store::log::{self, Filter, LogEntry, Order},
};

use super::views::LogLine;
use crate::{
    ApiState, answer::Okay, auth::Caller, functions::access, page::Page, permission::Action,
    problem::Problem,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    function: FunctionId,
    filter: Filter,
    behind: Option<LogCursor>,
    size: PageSize,
) -> Result<Okay<Page<LogLine>>, Problem> {
    for (field, seq) in [("after_seq", filter.after_seq), ("before_seq", filter.before_seq)] {
        if seq.is_some() && filter.execution.is_none() {
            let message = "counts the lines of one execution; send 'execution_id' too";
            return Err(Problem::invalid_field(field, message));
        }
    }
    let order = match filter.after_seq {
        Some(_) => Order::OldestFirst,
        None => Order::NewestFirst,
    };
    let tenant = caller.actor.tenant;
    let mut tx = state.db.begin_for(tenant).await?;
    access::find(&mut tx, caller, function, Action::ReadExecution).await?;
    let rows = log::list(&mut tx, tenant, function, &filter, order, behind, size).await?;
    let cursor = |row: &LogEntry| row.place.to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, LogLine::from)))
}
