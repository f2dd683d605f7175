//! GET /projects/{project_id}/tokens

use shared::{
    domain::{IdCursor, PageSize, ProjectId},
    store::project_token,
};

use super::views::ProjectToken;
use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, permission::Action, problem::Problem,
    projects,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<ProjectToken>>, Problem> {
    projects::find(state, caller, project, Action::ManageTokens).await?;
    let rows = project_token::list(&state.db, caller.actor.tenant, project, behind, size).await?;
    let cursor = |row: &project_token::ProjectToken| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, ProjectToken::from)))
}
