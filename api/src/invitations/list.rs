//! GET /projects/{project_id}/invitations

use shared::{
    domain::{IdCursor, PageSize, ProjectId},
    store::invitation,
};

use super::views::Invitation;
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
) -> Result<Okay<Page<Invitation>>, Problem> {
    projects::find(state, caller, project, Action::ManageMembers).await?;
    let rows = invitation::list(&state.db, caller.actor.tenant, project, behind, size).await?;
    let cursor = |row: &invitation::Invitation| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, Invitation::from)))
}
