//! POST /auth/register

use shared::{
    config::Registration,
    domain::{ErrorCode, PersonName},
    store::{account, audit, commit},
};

use super::{
    Origin,
    views::{NewAccount, Registered},
};
use crate::{ApiState, answer::Created, problem::Problem};

pub(super) async fn register(
    state: &ApiState,
    origin: &Origin,
    new: NewAccount,
) -> Result<Created<Registered>, Problem> {
    refuse_unless_open(state.config.registration)?;
    let name = new.name.unwrap_or_else(|| PersonName::from_mailbox(&new.email));
    let account = account::NewAccount {
        email: &new.email,
        name: &name,
        password_hash: &state.hasher.hash(new.password.0).await?,
        plan: state.config.default_plan,
    };
    let mut tx = state.db.begin().await?;
    let Some(actor) = account::register(&mut tx, account).await? else {
        let message = format!("there is an account with the address '{}' already", new.email);
        return Err(Problem::new(ErrorCode::Conflict, message).with("field", "email"));
    };
    audit::record(&mut tx, origin.deed(actor, "account.register", actor.user.0)).await?;
    commit(tx).await?;
    Ok(Created::new(Registered { user_id: actor.user, tenant_id: actor.tenant }))
}

fn refuse_unless_open(registration: Registration) -> Result<(), Problem> {
    let message = match registration {
        Registration::Open => return Ok(()),
        Registration::Invite => "registration needs an invitation on this server",
        Registration::Closed => "registration is closed on this server",
    };
    Err(Problem::new(ErrorCode::Forbidden, message))
}
