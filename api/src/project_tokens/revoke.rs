//! DELETE /projects/{project_id}/tokens/{token_id}

use shared::{
    domain::{ProjectId, TokenId},
    store::{audit, commit, project_token},
};

use super::views::TokenRevoked;
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, projects,
    resource::Resource,
};

pub(super) async fn revoke(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    id: TokenId,
) -> Result<Okay<TokenRevoked>, Problem> {
    projects::find(state, caller, project, Action::ManageTokens).await?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    if !project_token::revoke(&mut tx, project, id).await? {
        return Err(TokenId::not_found());
    }
    audit::record(&mut tx, caller.deed("token.revoke", id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(TokenRevoked { token_id: id, revoked: true }))
}
