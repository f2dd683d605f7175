//! POST /functions/{function_id}/invoke-batch

use shared::{
    domain::{ExecutionId, ExecutionMode, FunctionId},
    store::call::Terms,
};

use super::{
    call::{self, Incoming},
    invoke_async::queued,
    later,
    views::{InvokeBatch, QueuedBatch},
};
use crate::{
    ApiState, answer::Accepted, auth::Caller, idempotency, params::Duration, problem::Problem,
};

pub(super) async fn invoke_batch(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: InvokeBatch,
    timeout: Option<Duration>,
) -> Result<Accepted<QueuedBatch>, Problem> {
    for (place, input) in body.inputs.0.iter().enumerate() {
        call::check_input(state, &format!("inputs[{place}]"), input)?;
    }
    let start = later::start(state, body.delay, body.run_at)?;
    let mut incoming = Incoming::begin(state, caller, id, ExecutionMode::Async).await?;
    let timeout = timeout.map(|timeout| timeout.0);
    let terms = Terms { timeout, callback: body.callback_url, start, ..Terms::default() };
    let calls: Vec<_> =
        body.inputs.0.into_iter().map(|input| (ExecutionId::new(), input)).collect();
    let (_, accepted) = incoming.accept(&calls, terms).await?;
    let executions: Vec<_> = calls.iter().map(|(id, _)| queued(*id, &accepted)).collect();
    let answer =
        Accepted::new(QueuedBatch { executions }).at(format!("/api/v1/functions/{id}/executions"));
    idempotency::keep(state, caller, &mut incoming.tx, &answer).await?;
    incoming.commit(&accepted).await?;
    Ok(answer)
}
