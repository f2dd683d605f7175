//! POST /projects/{project_id}/tokens

use shared::{domain::ProjectId, store::project_token};

use super::views::{NewToken, TokenCreated};
use crate::{
    ApiState,
    answer::Created,
    auth::{
        Caller,
        ticket::{PROJECT_TOKEN, Ticket},
    },
    conclude::conclude,
    permission::Action,
    problem::Problem,
    projects,
    shape::Days,
    shape::Timestamp,
};

pub(super) async fn create(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    new: NewToken,
) -> Result<Created<TokenCreated>, Problem> {
    let found = projects::find(state, caller, project, Action::ManageTokens).await?;
    Action::ManageTokens.within(found.role, new.role)?;
    let ticket = Ticket::new(PROJECT_TOKEN);
    let row = project_token::NewToken {
        project,
        name: &new.name,
        role: new.role,
        token_sha256: ticket.sha256,
        days: new.expires_in_days.map(|Days(days)| days),
    };
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let created = project_token::create(&mut tx, caller.actor, row).await?;
    let answer = Created::new(TokenCreated {
        token_id: created.id,
        token: ticket.text,
        name: created.name,
        role: created.role,
        user_id: created.machine,
        created_at: created.created_at.into(),
        expires_at: created.expires_at.map(Timestamp::from),
    });
    conclude(state, caller, tx, caller.deed("token.create", created.id.0), &answer).await?;
    Ok(answer)
}
