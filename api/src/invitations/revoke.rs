//! DELETE /projects/{project_id}/invitations/{invitation_id}

use shared::{
    domain::{InvitationId, ProjectId},
    store::{audit, commit, invitation},
};

use super::views::InvitationRevoked;
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, projects,
    resource::Resource,
};

pub(super) async fn revoke(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    id: InvitationId,
) -> Result<Okay<InvitationRevoked>, Problem> {
    projects::find(state, caller, project, Action::ManageMembers).await?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    if !invitation::revoke(&mut tx, project, id).await? {
        return Err(InvitationId::not_found());
    }
    audit::record(&mut tx, caller.deed("invitation.revoke", id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(InvitationRevoked { invitation_id: id, revoked: true }))
}
