//! POST /functions/{function_id}/invoke-async

use shared::domain::{ExecutionId, ExecutionMode, ExecutionStatus, FunctionId};

use super::{
    access, call,
    views::{InvokeFunction, Queued},
};
use crate::{ApiState, answer::Accepted, auth::Caller, permission::Action, problem::Problem};

pub(super) async fn invoke_async(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: InvokeFunction,
) -> Result<Accepted<Queued>, Problem> {
    let function = access::find(state, caller, id, Action::InvokeFunction).await?;
    let input = call::input(state, body)?;
    let execution_id = ExecutionId::new();
    call::accept(state, caller, &function, execution_id, ExecutionMode::Async, &input).await?;
    let queued = Queued { execution_id, status: ExecutionStatus::Pending };
    Ok(Accepted::new(queued).at(format!("/api/v1/functions/executions/{execution_id}")))
}
