//! What both ways of calling a function share: the input is bounded, and a call is accepted only
//! while a version serves.

use shared::{
    domain::{ErrorCode, ExecutionId, ExecutionMode, FunctionStatus, JsonText},
    store::{build_report, call, commit, function::Function},
};

use super::views::InvokeFunction;
use crate::{ApiState, auth::Caller, problem::Problem};

/// The input of a call, within the limit.
pub(super) fn input(state: &ApiState, body: InvokeFunction) -> Result<JsonText, Problem> {
    let input = body.input.unwrap_or_else(JsonText::null);
    let (found, limit) = (input.as_str().len(), state.config.functions.payloads.input_bytes);
    if found <= limit {
        return Ok(input);
    }
    let message = format!("'input' is {found} bytes of JSON; at most {limit} are allowed");
    Err(Problem::new(ErrorCode::PayloadTooLarge, message)
        .with("field", "input")
        .with("limit_bytes", limit))
}

/// Makes the call durable and wakes a worker.
pub(super) async fn accept(
    state: &ApiState,
    caller: &Caller,
    function: &Function,
    id: ExecutionId,
    mode: ExecutionMode,
    input: &JsonText,
) -> Result<(), Problem> {
    let request = caller.origin.request;
    let new = call::NewCall { id, function: function.id, mode, input, request };
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    if !call::accept(&mut tx, caller.actor, new).await? {
        drop(tx);
        return Err(not_ready(state, caller, function).await?);
    }
    commit(tx).await?;
    state.signals.jobs_pushed();
    Ok(())
}

/// Says why no version serves, and where to read more.
async fn not_ready(
    state: &ApiState,
    caller: &Caller,
    function: &Function,
) -> Result<Problem, Problem> {
    let id = function.id;
    let build = build_report::latest(&state.db, caller.actor.tenant, id).await?;
    let (build_id, cause) = build.map(|build| (build.id.to_string(), build.message)).unzip();
    let message = match function.status {
        FunctionStatus::Failed => format!(
            "the build of '{}' failed: {}; see GET /api/v1/functions/{id}",
            function.name,
            cause.flatten().unwrap_or_else(|| "it gave no reason".to_owned()),
        ),
        FunctionStatus::Pending | FunctionStatus::Active => {
            format!("'{}' is still being built; see GET /api/v1/functions/{id}", function.name)
        }
    };
    Ok(Problem::new(ErrorCode::FuncNotReady, message)
        .with("status", function.status.as_str())
        .with("build_id", build_id))
}
