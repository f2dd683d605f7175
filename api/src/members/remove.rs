//! DELETE /projects/{project_id}/members/{user_id}

use shared::{
    domain::{ErrorCode, ProjectId, Role, UserId},
    store::{audit, commit, member},
};

use super::{change::last_owner_stays, views::MemberRemoved};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, projects,
    resource::Resource,
};

pub(super) async fn remove(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    user: UserId,
) -> Result<Okay<MemberRemoved>, Problem> {
    let found = projects::find(state, caller, project, Action::ManageMembers).await?;
    let tenant = caller.actor.tenant;
    let mut tx = state.db.begin_for(tenant).await?;
    member::lock(&mut tx, tenant, project).await?;
    let member = member::find(&mut tx, tenant, project, user).await?;
    let member = member.ok_or_else(UserId::not_found)?;
    let Some(role) = member.project_role else {
        let message = "their role is one over the whole tenant, which is not taken away here";
        return Err(Problem::new(ErrorCode::Conflict, message));
    };
    Action::ManageMembers.within(found.role, role)?;
    if role == Role::Owner {
        last_owner_stays(&mut tx, project).await?;
    }
    member::remove(&mut tx, project, user).await?;
    audit::record(&mut tx, caller.deed("member.remove", user.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(MemberRemoved { user_id: user, removed: true }))
}
