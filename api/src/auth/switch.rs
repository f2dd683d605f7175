//! POST /auth/switch

use super::{
    Caller, login,
    views::{Switch, TokenPair},
};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn switch(
    state: &ApiState,
    caller: &Caller,
    to: Switch,
) -> Result<Okay<TokenPair>, Problem> {
    caller.require_person()?;
    let actor = login::enter(state, caller.actor.user, Some(to.tenant_id)).await?;
    login::open_session(state, &caller.origin, actor).await
}
