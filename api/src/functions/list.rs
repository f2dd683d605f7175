//! GET /functions

use shared::{
    domain::{FunctionStatus, IdCursor, PageSize, ProjectId},
    store::{
        function::{self, Filter},
        project,
    },
};

use super::views::Function;
use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, problem::Problem, resource::Resource,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    project: Option<ProjectId>,
    status: Option<FunctionStatus>,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<Function>>, Problem> {
    if let Some(id) = project {
        // An empty list would hide a mistyped id.
        project::find(&state.db, caller.actor, id).await?.ok_or_else(ProjectId::not_found)?;
    }
    let filter = Filter { project, status };
    let rows = function::list(&state.db, caller.actor, filter, behind, size).await?;
    let cursor = |row: &function::Function| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, Function::from)))
}
