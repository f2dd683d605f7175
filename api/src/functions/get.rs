//! GET /functions/{function_id}

use shared::{domain::FunctionId, store::build_report};

use super::{access, views::FunctionDetails};
use crate::{ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
) -> Result<Okay<FunctionDetails>, Problem> {
    let function = access::find(state, caller, id, Action::ReadFunction).await?;
    let build = build_report::latest(&state.db, caller.actor.tenant, id).await?;
    let build = build.ok_or_else(|| Problem::internal(format!("{id} has no build")))?;
    Ok(Okay::new(FunctionDetails { function: function.into(), build: build.into() }))
}
