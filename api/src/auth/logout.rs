//! POST /auth/logout

use shared::store::{audit, commit, session};

use super::{Caller, views::LoggedOut};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn logout(state: &ApiState, caller: &Caller) -> Result<Okay<LoggedOut>, Problem> {
    let id = caller.require_session()?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    session::revoke(&mut tx, id).await?;
    audit::record(&mut tx, caller.deed("session.close", id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(LoggedOut { logged_out: true }))
}
