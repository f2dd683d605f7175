//! Finding a function for somebody who may do something with it.

use shared::{
    domain::FunctionId,
    store::function::{self, Function},
};

use crate::{ApiState, auth::Caller, permission::Action, problem::Problem, resource::Resource};

/// The function, if it is there for the caller and they may do this with it.
pub(crate) async fn find(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    action: Action,
) -> Result<Function, Problem> {
    let function = function::find(&state.db, caller.actor, id).await?;
    let function = function.ok_or_else(FunctionId::not_found)?;
    action.allow(function.role)?;
    Ok(function)
}
