//! GET /functions/executions/{execution_id}/deliveries

use shared::{
    domain::{ErrorCode, ExecutionId},
    store::callback,
};

use super::{get, views::Deliveries};
use crate::{ApiState, answer::Okay, auth::Caller, problem::Problem};

pub(super) async fn deliveries(
    state: &ApiState,
    caller: &Caller,
    id: ExecutionId,
) -> Result<Okay<Deliveries>, Problem> {
    get::find(state, caller, id).await?;
    let found = callback::deliveries(&state.db, caller.actor.tenant, id).await?;
    let none = || Problem::new(ErrorCode::NotFound, "the execution has no callback_url");
    Ok(Okay::new(found.ok_or_else(none)?.into()))
}
