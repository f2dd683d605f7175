//! POST /functions/{function_id}/invoke-async

use shared::{
    domain::{ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, JsonText, VersionNumber},
    store::call::{Accepted as AcceptedCall, Terms},
};

use super::{
    call::{self, Incoming},
    later,
    views::{InvokeLater, Queued},
};
use crate::{
    ApiState, answer::Accepted, auth::Caller, params::Duration, problem::Problem, shape::Timestamp,
};

pub(super) async fn invoke_async(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: InvokeLater,
    version: Option<VersionNumber>,
    timeout: Option<Duration>,
) -> Result<Accepted<Queued>, Problem> {
    let input = body.input.unwrap_or_else(JsonText::null);
    call::check_input(state, "input", &input)?;
    let start = later::start(state, body.delay, body.run_at)?;
    let mut incoming = Incoming::begin(state, caller, id, ExecutionMode::Async).await?;
    let timeout = timeout.map(|timeout| timeout.0);
    let terms = Terms { version, timeout, callback: body.callback_url, start, ..Terms::default() };
    let execution_id = caller.execution_id();
    let calls = [(execution_id, input)];
    let (_, accepted) = incoming.accept(&calls, terms).await?;
    incoming.commit(&accepted).await?;
    Ok(Accepted::new(queued(execution_id, &accepted)).at(call::location(execution_id)))
}

/// A call that was accepted, as the caller is told.
pub(super) fn queued(execution_id: ExecutionId, accepted: &AcceptedCall) -> Queued {
    Queued {
        execution_id,
        status: ExecutionStatus::Pending,
        version: accepted.version.to_string(),
        run_at: accepted.run_at.map(Timestamp::from),
    }
}
