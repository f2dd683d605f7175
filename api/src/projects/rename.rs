//! PUT /projects/{project_id}

use shared::{
    domain::ProjectId,
    store::{audit, commit, project, project::Renamed},
};

use super::{
    access, create,
    views::{NewProject, Project},
};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
};

pub(super) async fn rename(
    state: &ApiState,
    caller: &Caller,
    id: ProjectId,
    new: NewProject,
) -> Result<Okay<Project>, Problem> {
    let project = access::find(state, caller, id, Action::ChangeProject).await?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    match project::rename(&mut tx, caller.actor.tenant, id, &new.name).await? {
        Renamed::Done => {}
        Renamed::Taken => return Err(create::name_taken(&new.name)),
        Renamed::Gone => return Err(ProjectId::not_found()),
    }
    audit::record(&mut tx, caller.deed("project.rename", id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(Project { name: new.name.to_string(), ..project.into() }))
}
