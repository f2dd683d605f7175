//! POST /invitations/accept

use shared::{
    config::Secret,
    domain::{Actor, ErrorCode, Role},
    store::{
        Tx, account,
        invitation::{self, Opened},
        member,
    },
};

use super::views::{Accepted, AcceptedInvitation};
use crate::{
    ApiState,
    answer::Okay,
    auth::{Caller, ticket},
    conclude::conclude,
    problem::Problem,
};

pub(super) async fn accept(
    state: &ApiState,
    caller: &Caller,
    given: AcceptedInvitation,
) -> Result<Okay<Accepted>, Problem> {
    let profile = account::profile(&state.db, caller.actor).await?;
    let email = profile.ok_or_else(Problem::account_gone)?.email.unwrap_or_default();
    // The project may be another tenant's: the token is what lets the caller in.
    let mut tx = state.db.begin().await?;
    let opened = open(&mut tx, &given.token, &email).await?;
    let user = caller.actor.user;
    let known = member::find(&mut tx, opened.tenant, opened.project, user).await?;
    // An old invitation must not take a higher role away.
    let role = Role::effective(known.and_then(|known| known.project_role), Some(opened.role))
        .unwrap_or(opened.role);
    member::set_role(&mut tx, opened.tenant, opened.project, user, role).await?;
    invitation::accept(&mut tx, opened.id, user).await?;
    let guest = Actor { user, tenant: opened.tenant };
    let deed = caller.origin.deed(guest, "invitation.accept", opened.id.0);
    let answer = Okay::new(Accepted { project_id: opened.project, tenant_id: opened.tenant, role });
    conclude(state, caller, tx, deed, &answer).await?;
    Ok(answer)
}

/// The invitation behind a token, if it is good and for this address.
pub(crate) async fn open(tx: &mut Tx, token: &Secret, email: &str) -> Result<Opened, Problem> {
    let opened = invitation::open(tx, &ticket::sha256(token.expose())).await?;
    let opened = opened.ok_or_else(|| {
        let message = "the invitation is not valid, was used or revoked, or has expired";
        Problem::new(ErrorCode::NotFound, message)
    })?;
    if opened.email.to_lowercase() == email.to_lowercase() {
        return Ok(opened);
    }
    let message = "the invitation is for another e-mail address";
    Err(Problem::new(ErrorCode::Forbidden, message))
}
