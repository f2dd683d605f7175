//! POST /projects/{project_id}/invitations

use shared::{domain::ProjectId, store::invitation};

use super::views::{InvitationCreated, NewInvitation};
use crate::{
    ApiState,
    answer::Created,
    auth::{
        Caller,
        ticket::{INVITATION, Ticket},
    },
    conclude::conclude,
    permission::Action,
    problem::Problem,
    projects,
    shape::Days,
};

const DEFAULT_DAYS: u32 = 7;

pub(super) async fn create(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    new: NewInvitation,
) -> Result<Created<InvitationCreated>, Problem> {
    let found = projects::find(state, caller, project, Action::ManageMembers).await?;
    Action::ManageMembers.within(found.role, new.role)?;
    let ticket = Ticket::new(INVITATION);
    let row = invitation::NewInvitation {
        project,
        email: &new.email,
        role: new.role,
        token_sha256: ticket.sha256,
        days: new.expires_in_days.map_or(DEFAULT_DAYS, |Days(days)| days),
    };
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let (invitation_id, expires_at) = invitation::create(&mut tx, caller.actor, row).await?;
    let answer = Created::new(InvitationCreated {
        invitation_id,
        token: ticket.text,
        email: new.email.to_string(),
        role: new.role,
        expires_at: expires_at.into(),
    });
    let deed = caller.deed("invitation.create", invitation_id.0);
    conclude(state, caller, tx, deed, &answer).await?;
    Ok(answer)
}
