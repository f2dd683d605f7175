//! POST /projects/{project_id}/members

use shared::{
    domain::{ErrorCode, ProjectId, UserId},
    store::member,
};

use super::views::{Member, NewMember};
use crate::{
    ApiState, answer::Created, auth::Caller, conclude::conclude, permission::Action,
    problem::Problem, projects, resource::Resource,
};

pub(super) async fn add(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    new: NewMember,
) -> Result<Created<Member>, Problem> {
    let found = projects::find(state, caller, project, Action::ManageMembers).await?;
    Action::ManageMembers.within(found.role, new.role)?;
    let tenant = caller.actor.tenant;
    let mut tx = state.db.begin_for(tenant).await?;
    let user = member::find_in_tenant(&mut tx, tenant, &new.email).await?;
    let user = user.ok_or_else(not_in_tenant)?;
    let known = member::find(&mut tx, tenant, project, user).await?;
    if known.is_some_and(|known| known.project_role.is_some()) {
        let message = "they are a member already; change their role instead";
        return Err(Problem::new(ErrorCode::Conflict, message).with("field", "email"));
    }
    member::set_role(&mut tx, tenant, project, user, new.role).await?;
    let member = member::find(&mut tx, tenant, project, user).await?;
    let answer = Created::new(member.ok_or_else(UserId::not_found)?.into());
    conclude(state, caller, tx, caller.deed("member.add", user.0), &answer).await?;
    Ok(answer)
}

fn not_in_tenant() -> Problem {
    let message = "nobody of this tenant has this address; invite them instead";
    Problem::new(ErrorCode::NotFound, message).with("field", "email")
}
