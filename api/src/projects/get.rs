//! GET /projects/{project_id}

use shared::{domain::ProjectId, store::project};

use super::views::Project;
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    id: ProjectId,
) -> Result<Okay<Project>, Problem> {
    let project = project::find(&state.db, caller.actor, id).await?;
    let project = project.ok_or_else(ProjectId::not_found)?;
    Action::ReadProject.allow(project.role)?;
    Ok(Okay::new(project.into()))
}
