//! GET /functions

use shared::{
    domain::{FunctionPart, IdCursor, PageSize, ProjectId},
    store::{
        function::{self, Filter},
        function_numbers, project,
    },
};

use super::{stats, views::Function};
use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, problem::Problem, resource::Resource,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    filter: Filter,
    include: Option<FunctionPart>,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<Function>>, Problem> {
    if let Some(id) = filter.project {
        // An empty list would hide a mistyped id.
        project::find(&state.db, caller.actor, id).await?.ok_or_else(ProjectId::not_found)?;
    }
    let rows = function::list(&state.db, caller.actor, filter, behind, size).await?;
    let mut numbers = match include {
        Some(FunctionPart::Stats) => {
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            let numbers = function_numbers::stats(&state.db, caller.actor.tenant, &ids).await?;
            stats::by_function(numbers)
        }
        None => stats::ByFunction::new(),
    };
    let cursor = |row: &function::Function| IdCursor(row.id.0).to_string();
    let view = |row: function::Function| {
        let stats = numbers.remove(&row.id);
        Function { stats, ..Function::from(row) }
    };
    Ok(Okay::new(Page::of(rows, size, cursor, view)))
}
