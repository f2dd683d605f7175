//! POST /projects

use shared::{
    domain::{ErrorCode, ProjectName},
    store::{account, project},
};

use super::views::{NewProject, ProjectCreated};
use crate::{
    ApiState, answer::Created, auth::Caller, conclude::conclude, permission::Action,
    problem::Problem,
};

pub(super) async fn create(
    state: &ApiState,
    caller: &Caller,
    new: NewProject,
) -> Result<Created<ProjectCreated>, Problem> {
    let profile = account::profile(&state.db, caller.actor).await?;
    let profile = profile.ok_or_else(Problem::account_gone)?;
    Action::CreateProject.allow_over_tenant(profile.role)?;

    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let created = project::create(&mut tx, caller.actor, &new.name).await?;
    let Some((project_id, created_at)) = created else { return Err(name_taken(&new.name)) };
    let answer = Created::new(ProjectCreated {
        project_id,
        name: new.name.to_string(),
        created_at: created_at.into(),
    });
    conclude(state, caller, tx, caller.deed("project.create", project_id.0), &answer).await?;
    Ok(answer)
}

pub(super) fn name_taken(name: &ProjectName) -> Problem {
    let message = format!("there is a project with the name '{name}' already");
    Problem::new(ErrorCode::Conflict, message).with("field", "name")
}
