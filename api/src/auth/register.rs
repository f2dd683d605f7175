//! POST /auth/register

use shared::{
    config::{Registration, Secret},
    domain::{Actor, ErrorCode, PersonName},
    store::{Tx, account, audit, commit, invitation, member},
};

use super::{
    Origin, ticket,
    views::{NewAccount, Registered},
};
use crate::{ApiState, answer::Created, invitations, problem::Problem};

/// What lets somebody in.
enum Way {
    /// The server's switch.
    Open,
    /// The token that a fresh server printed.
    Setup,
    /// Somebody asked them to come.
    Invitation(Secret),
}

pub(super) async fn register(
    state: &ApiState,
    origin: &Origin,
    new: NewAccount,
) -> Result<Created<Registered>, Problem> {
    let way = way_in(state, new.setup_token, new.invitation)?;
    let name = new.name.unwrap_or_else(|| PersonName::from_mailbox(&new.email));
    let account = account::NewAccount {
        email: &new.email,
        name: &name,
        password_hash: &state.hasher.hash(new.password.0).await?,
    };
    let mut tx = state.db.begin().await?;
    let actor = match way {
        Way::Open => account::register(&mut tx, &account, state.config.default_plan).await?,
        Way::Setup => {
            require_fresh(&mut tx).await?;
            account::register(&mut tx, &account, state.config.default_plan).await?
        }
        Way::Invitation(token) => register_invited(&mut tx, &account, &token).await?,
    };
    let Some(actor) = actor else { return Err(address_taken(&account)) };
    audit::record(&mut tx, origin.deed(actor, "account.register", actor.user.0)).await?;
    commit(tx).await?;
    Ok(Created::new(Registered { user_id: actor.user, tenant_id: actor.tenant }))
}

fn way_in(
    state: &ApiState,
    setup_token: Option<Secret>,
    invitation: Option<Secret>,
) -> Result<Way, Problem> {
    if let Some(token) = setup_token {
        let right = ticket::sha256(&state.tokens.setup_token());
        // Hashes, so that the time of the comparison tells nothing about the token.
        return match ticket::sha256(token.expose()) == right {
            true => Ok(Way::Setup),
            false => {
                Err(Problem::forbidden("the set-up token is not the one that this server printed"))
            }
        };
    }
    match (state.config.registration, invitation) {
        (Registration::Closed, _) => {
            Err(Problem::forbidden("registration is closed on this server"))
        }
        (_, Some(token)) => Ok(Way::Invitation(token)),
        (Registration::Open, None) => Ok(Way::Open),
        (Registration::Invite, None) => {
            Err(Problem::forbidden("registration needs an invitation on this server"))
        }
    }
}

async fn require_fresh(tx: &mut Tx) -> Result<(), Problem> {
    match account::is_fresh_locked(tx).await? {
        true => Ok(()),
        false => {
            Err(Problem::forbidden("this server was set up already; its set-up token is used up"))
        }
    }
}

/// Somebody who comes by invitation gets no tenant of their own: they are a guest in the project.
async fn register_invited(
    tx: &mut Tx,
    account: &account::NewAccount<'_>,
    token: &Secret,
) -> Result<Option<Actor>, Problem> {
    let opened = invitations::open(tx, token, account.email.as_str()).await?;
    let Some(user) = account::insert_person(tx, account).await? else { return Ok(None) };
    member::set_role(tx, opened.tenant, opened.project, user, opened.role).await?;
    invitation::accept(tx, opened.id, user).await?;
    Ok(Some(Actor { user, tenant: opened.tenant }))
}

fn address_taken(account: &account::NewAccount<'_>) -> Problem {
    let message = format!("there is an account with the address '{}' already", account.email);
    Problem::new(ErrorCode::Conflict, message).with("field", "email")
}
