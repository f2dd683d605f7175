//! GET /auth/me

use shared::store::account;

use super::{Caller, views::Me};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn me(state: &ApiState, caller: &Caller) -> Result<Okay<Me>, Problem> {
    let actor = caller.actor;
    let profile = account::profile(&state.db, actor).await?;
    let profile = profile.ok_or_else(Problem::account_gone)?;
    Ok(Okay::new(Me {
        user_id: actor.user,
        email: profile.email,
        name: profile.name,
        tenant_id: actor.tenant,
        role: profile.role,
        plan: profile.plan,
    }))
}
