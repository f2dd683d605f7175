//! POST /functions/{function_id}/invoke-batch

use shared::{
    domain::{ExecutionId, FunctionId},
    store::call::Terms,
};

use super::{
    call, callback,
    invoke_async::queued,
    later,
    views::{InvokeBatch, QueuedBatch},
};
use crate::{
    ApiState, answer::Accepted, auth::Caller, functions::access, params::Duration,
    permission::Action, problem::Problem,
};

pub(super) async fn invoke_batch(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: InvokeBatch,
    timeout: Option<Duration>,
) -> Result<Accepted<QueuedBatch>, Problem> {
    let function = access::find(state, caller, id, Action::InvokeFunction).await?;
    for (place, input) in body.inputs.0.iter().enumerate() {
        call::check_input(state, &format!("inputs[{place}]"), input)?;
    }
    callback::check(state, caller, &function, body.callback_url.as_ref()).await?;
    let terms = Terms {
        timeout: call::timeout(&function, timeout)?,
        callback: body.callback_url,
        start: later::start(state, body.delay, body.run_at)?,
        ..Terms::default()
    };
    let calls: Vec<_> =
        body.inputs.0.into_iter().map(|input| (ExecutionId::new(), input)).collect();
    let accepted = call::accept(state, caller, &function, &calls, terms).await?;
    let executions = calls.iter().map(|(id, _)| queued(*id, accepted)).collect();
    Ok(Accepted::new(QueuedBatch { executions }).at(format!("/api/v1/functions/{id}/executions")))
}
