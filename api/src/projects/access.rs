//! Finding a project for somebody who may do something with it.

use shared::{
    domain::ProjectId,
    store::project::{self, Project},
};

use crate::{ApiState, auth::Caller, permission::Action, problem::Problem, resource::Resource};

/// The project, if it is there for the caller and they may do this with it.
pub(crate) async fn find(
    state: &ApiState,
    caller: &Caller,
    id: ProjectId,
    action: Action,
) -> Result<Project, Problem> {
    let project = project::find(&state.db, caller.actor, id).await?;
    let project = project.ok_or_else(ProjectId::not_found)?;
    action.allow(project.role)?;
    Ok(project)
}
