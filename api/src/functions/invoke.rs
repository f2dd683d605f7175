//! POST /functions/{function_id}/invoke

use std::time::Duration;

use shared::{
    domain::{
        ErrorCode, ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, JsonText, Reason,
    },
    store::call::Execution,
};
use tokio::time::Instant;

use super::{
    access, call, execution,
    execution_views::{mebibytes, milliseconds},
    views::{Called, InvokeFunction},
};
use crate::{ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem};

/// For waiting in the queue and recording the outcome, on top of the function's own timeout.
const MARGIN: Duration = Duration::from_secs(10);

pub(super) async fn invoke(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: InvokeFunction,
) -> Result<Okay<Called>, Problem> {
    let function = access::find(state, caller, id, Action::InvokeFunction).await?;
    let input = call::input(state, body)?;
    let execution_id = ExecutionId::new();
    // Before the commit: the end may come before it returns.
    let watch = state.signals.watch(execution_id.0);
    call::accept(state, caller, &function, execution_id, ExecutionMode::Sync, &input).await?;

    let timeout = Duration::from_secs(function.timeout_seconds.into());
    let deadline = Instant::now() + timeout + MARGIN;
    execution::until_final(state, caller, execution_id, watch, deadline).await?;
    answer(execution::find(state, caller, execution_id).await?)
}

/// The output of an execution that completed; of any other, what became of it.
fn answer(execution: Execution) -> Result<Okay<Called>, Problem> {
    let (id, status) = (execution.summary.id, execution.summary.status);
    match (status, execution.summary.reason) {
        (ExecutionStatus::Completed, _) => Ok(Okay::new(Called {
            execution_id: id,
            output: execution.output.unwrap_or_else(JsonText::null),
            duration: milliseconds(execution.summary.run_ms.unwrap_or_default()),
            memory_used: mebibytes(execution.summary.peak_memory_bytes.unwrap_or_default()),
            logs: execution.logs,
        })),
        (ExecutionStatus::Failed | ExecutionStatus::Cancelled, reason) => {
            Err(failure(execution, reason))
        }
        (ExecutionStatus::Pending | ExecutionStatus::Running, _) => Err(Problem::new(
            ErrorCode::FuncExecTimeout,
            format!("the call goes on; see GET /api/v1/functions/executions/{id}"),
        )
        .with("execution_id", id.to_string())
        .with("status", status.as_str())),
    }
}

fn failure(execution: Execution, reason: Option<Reason>) -> Problem {
    let code = match reason {
        Some(Reason::Timeout) => ErrorCode::FuncExecTimeout,
        _ => ErrorCode::FuncExecFailed,
    };
    let reason = reason.map_or("cancelled", Reason::as_str);
    let message = match &execution.summary.error {
        Some(error) => format!("the call failed ({reason}): {error}"),
        None => format!("the call failed ({reason})"),
    };
    Problem::new(code, message)
        .with("execution_id", execution.summary.id.to_string())
        .with("reason", reason)
        .with("error", execution.summary.error)
        .with("logs", execution.logs)
}

#[cfg(test)]
mod tests {
    use shared::{domain::Role, store::call::Summary};
    use time::OffsetDateTime;

    use super::*;

    fn execution(status: ExecutionStatus) -> Execution {
        let summary = Summary {
            id: ExecutionId::new(),
            function: FunctionId::new(),
            version: 1,
            status,
            reason: None,
            error: None,
            run_ms: None,
            peak_memory_bytes: None,
            attempt: 1,
            queued_at: OffsetDateTime::UNIX_EPOCH,
            started_at: None,
            completed_at: None,
        };
        Execution {
            summary,
            role: Role::Viewer,
            input: JsonText::null(),
            output: None,
            logs: String::new(),
            logs_truncated: false,
        }
    }

    #[test]
    fn a_wait_that_is_over_before_the_call_says_where_it_goes_on() {
        for status in [ExecutionStatus::Pending, ExecutionStatus::Running] {
            let execution = execution(status);
            let id = execution.summary.id.to_string();
            let problem = answer(execution).err().unwrap();
            assert_eq!(problem.code, ErrorCode::FuncExecTimeout);
            assert!(problem.message.contains(&format!("/api/v1/functions/executions/{id}")));
            assert_eq!(problem.details["execution_id"], id);
            assert_eq!(problem.details["status"], status.as_str());
        }
    }
}
