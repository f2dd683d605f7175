//! Finding a function for somebody who may do something with it.

use shared::{
    domain::FunctionId,
    store::{
        Tx,
        function::{self, Function},
    },
};

use crate::{auth::Caller, permission::Action, problem::Problem, resource::Resource};

/// The function, if it is there for the caller and they may do this with it. In a transaction on
/// behalf of the caller's tenant, which what follows can share.
pub(crate) async fn find(
    tx: &mut Tx,
    caller: &Caller,
    id: FunctionId,
    action: Action,
) -> Result<Function, Problem> {
    let function = function::find(tx, caller.actor, id).await?;
    let function = function.ok_or_else(FunctionId::not_found)?;
    action.allow(function.role)?;
    Ok(function)
}
