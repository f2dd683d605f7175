//! DELETE /projects/{project_id}

use shared::{
    domain::ProjectId,
    store::{audit, commit, project},
};

use super::{access, views::ProjectDeleted};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
};

pub(super) async fn delete(
    state: &ApiState,
    caller: &Caller,
    project_id: ProjectId,
) -> Result<Okay<ProjectDeleted>, Problem> {
    access::find(state, caller, project_id, Action::DeleteProject).await?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    if !project::delete(&mut tx, caller.actor.tenant, project_id).await? {
        return Err(ProjectId::not_found());
    }
    audit::record(&mut tx, caller.deed("project.delete", project_id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(ProjectDeleted { project_id, deleted: true }))
}
