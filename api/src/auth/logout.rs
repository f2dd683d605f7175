//! POST /auth/logout

use shared::store::{audit, commit, session};

use super::{Caller, views::LoggedOut};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn logout(state: &ApiState, caller: &Caller) -> Result<Okay<LoggedOut>, Problem> {
    let mut tx = state.db.begin().await?;
    session::revoke(&mut tx, caller.session).await?;
    audit::record(&mut tx, caller.deed("session.close", caller.session.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(LoggedOut { logged_out: true }))
}
