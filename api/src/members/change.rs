//! PUT /projects/{project_id}/members/{user_id}

use shared::{
    domain::{ErrorCode, ProjectId, Role, UserId},
    store::{Tx, audit, commit, member},
};

use super::views::{Member, NewRole};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, projects,
    resource::Resource,
};

pub(super) async fn change(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    user: UserId,
    new: NewRole,
) -> Result<Okay<Member>, Problem> {
    let found = projects::find(state, caller, project, Action::ManageMembers).await?;
    Action::ManageMembers.within(found.role, new.role)?;
    let tenant = caller.actor.tenant;
    let mut tx = state.db.begin_for(tenant).await?;
    member::lock(&mut tx, tenant, project).await?;
    let member = member::find(&mut tx, tenant, project, user).await?;
    let member = member.ok_or_else(UserId::not_found)?;
    if let Some(role) = member.project_role {
        Action::ManageMembers.within(found.role, role)?;
        require_another_owner(&mut tx, project, role, new.role).await?;
    }
    member::set_role(&mut tx, tenant, project, user, new.role).await?;
    audit::record(&mut tx, caller.deed("member.change", user.0)).await?;
    let member = member::find(&mut tx, tenant, project, user).await?;
    commit(tx).await?;
    Ok(Okay::new(member.ok_or_else(UserId::not_found)?.into()))
}

/// A project keeps an owner, who is the only one who can delete it or name another.
async fn require_another_owner(
    tx: &mut Tx,
    project: ProjectId,
    old: Role,
    new: Role,
) -> Result<(), Problem> {
    if old != Role::Owner || new == Role::Owner {
        return Ok(());
    }
    last_owner_stays(tx, project).await
}

/// Refuses when there is only one owner. Exact while the project's row is locked.
pub(super) async fn last_owner_stays(tx: &mut Tx, project: ProjectId) -> Result<(), Problem> {
    if member::count_owners(tx, project).await? > 1 {
        return Ok(());
    }
    let message = "they are the last owner of the project; make somebody else an owner first";
    Err(Problem::new(ErrorCode::Conflict, message))
}
