//! Who somebody is here whom the outside issuer vouches for. Whoever comes for the first time is let
//! in as the registration switch says: `open` gives them a tenant of their own, `invite` the projects
//! that invited their verified address, `closed` nothing.

use shared::{
    config::Registration,
    domain::{Actor, Email, UserId},
    store::{
        StoreError, Tx, account, audit, commit, invitation, member,
        outsider::{self, Outsider},
    },
};

use super::token::Person;
use crate::{ApiState, auth::Origin, problem::Problem};

/// The user behind an outside token, in the first of their tenants.
pub(in crate::auth) async fn enter(
    state: &ApiState,
    origin: &Origin,
    person: &Person<'_>,
) -> Result<Actor, Problem> {
    let known = match outsider::find(&state.db, person.identity()).await? {
        Some(Outsider { user, tenant: Some(tenant) }) => return Ok(Actor { user, tenant }),
        Some(without_role) => Some(without_role.user),
        None => None,
    };
    if let Some(actor) = admit(state, origin, person, known).await? {
        return Ok(actor);
    }
    // Another first request of theirs was faster.
    let known = outsider::find(&state.db, person.identity()).await?;
    let actor = known.and_then(|known| Some(Actor { user: known.user, tenant: known.tenant? }));
    actor.ok_or_else(|| Problem::internal("somebody from outside came and was gone"))
}

/// Lets somebody in who has no role yet. None when another request was faster.
async fn admit(
    state: &ApiState,
    origin: &Origin,
    person: &Person<'_>,
    known: Option<UserId>,
) -> Result<Option<Actor>, Problem> {
    let mut tx = state.db.begin().await?;
    let user = match known {
        Some(user) => Some(user),
        None => {
            let email = person.email.as_ref();
            outsider::insert(&mut tx, person.identity(), email, &person.name).await?
        }
    };
    let Some(user) = user else { return Ok(None) };
    let actor = match state.config.registration {
        Registration::Open if known.is_none() => {
            let plan = state.config.default_plan;
            let actor = account::found_tenant(&mut tx, user, &person.name, plan).await?;
            audit::record(&mut tx, origin.deed(actor, "account.register", user.0)).await?;
            actor
        }
        Registration::Invite | Registration::Open => {
            let waiting = accept_waiting(&mut tx, origin, user, person.email.as_ref()).await?;
            waiting.ok_or_else(not_invited)?
        }
        Registration::Closed => {
            return Err(Problem::forbidden("registration is closed on this server"));
        }
    };
    commit(tx).await?;
    Ok(Some(actor))
}

/// Takes every invitation that waits for the address; None when there is none.
async fn accept_waiting(
    tx: &mut Tx,
    origin: &Origin,
    user: UserId,
    email: Option<&Email>,
) -> Result<Option<Actor>, StoreError> {
    let Some(email) = email else { return Ok(None) };
    let mut first = None;
    for opened in invitation::waiting_for(tx, email).await? {
        member::set_role(tx, opened.tenant, opened.project, user, opened.role).await?;
        invitation::accept(tx, opened.id, user).await?;
        let guest = Actor { user, tenant: opened.tenant };
        audit::record(tx, origin.deed(guest, "invitation.accept", opened.id.0)).await?;
        first.get_or_insert(guest);
    }
    Ok(first)
}

fn not_invited() -> Problem {
    Problem::forbidden(
        "the token is good, and you have no role in any project; ask somebody to invite the \
         verified e-mail address in it",
    )
}
