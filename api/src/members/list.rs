//! GET /projects/{project_id}/members

use shared::{
    domain::{IdCursor, PageSize, ProjectId},
    store::member,
};

use super::views::Member;
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
) -> Result<Okay<Page<Member>>, Problem> {
    projects::find(state, caller, project, Action::ReadProject).await?;
    let rows = member::list(&state.db, caller.actor.tenant, project, behind, size).await?;
    let cursor = |row: &member::Member| IdCursor(row.user.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, Member::from)))
}
