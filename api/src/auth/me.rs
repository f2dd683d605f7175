//! GET /auth/me

use shared::store::account;

use super::{
    Caller,
    views::{Me, Membership},
};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn me(state: &ApiState, caller: &Caller) -> Result<Okay<Me>, Problem> {
    let actor = caller.actor;
    let profile = account::profile(&state.db, actor).await?;
    let profile = profile.ok_or_else(Problem::account_gone)?;
    let memberships = account::memberships(&state.db, actor.user).await?;
    let tenants = memberships.into_iter().map(|membership| Membership {
        tenant_id: membership.tenant,
        name: membership.name,
        role: membership.role,
    });
    Ok(Okay::new(Me {
        user_id: actor.user,
        email: profile.email,
        name: profile.name,
        tenant_id: actor.tenant,
        role: profile.role,
        plan: profile.plan,
        tenants: tenants.collect(),
    }))
}
