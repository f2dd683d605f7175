//! GET /projects

use shared::{
    domain::{IdCursor, PageSize},
    store::project,
};

use super::views::Project;
use crate::{ApiState, answer::Okay, auth::Caller, page::Page, problem::Problem};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<Project>>, Problem> {
    let rows = project::list(&state.db, caller.actor, behind, size).await?;
    let cursor = |row: &project::Project| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, Project::from)))
}
