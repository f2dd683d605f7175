//! Executions: call a function, look at what became of it, end it, run it again.

mod batch;
mod call;
mod callback;
mod callback_secret;
mod cancel;
mod counts;
mod deliveries;
mod get;
mod history;
pub(crate) mod invoke;
mod invoke_async;
mod later;
mod logs;
mod replay;
pub(crate) mod views;

use poem_openapi::OpenApi;
use shared::domain::{
    ExecutionId, ExecutionStatus, FunctionId, IdCursor, Level, LogCursor, OnDisconnect, PageSize,
    ProjectId, Reason, RequestId, UserId, VersionNumber,
};

use crate::{
    ApiState,
    answer::{Accepted, Created, Okay},
    auth::Caller,
    body::Json,
    page::Page,
    params::{Duration, Header, LineCount, Needed, Path, Prefer, Query, SearchText, Wait},
    problem::Problem,
    routes::Chapter,
    shape::Timestamp,
};

pub(crate) use call::location;

use history::Conditions;
use invoke::{How, Invoked};
use views::{
    CallbackSecret, Deliveries, Execution, ExecutionCounts, ExecutionSummary, InvokeBatch,
    InvokeFunction, InvokeLater, LogLine, Queued, QueuedBatch,
};

/// The routes of this chapter.
pub(crate) struct Executions;

#[OpenApi(prefix_path = "/api/v1", tag = "Chapter::Executions")]
impl Executions {
    /// Call a function and wait
    ///
    /// Answers with the output. A call that fails answers with its `execution_id`, `version`,
    /// `reason` and `logs` in `error.details`. A call without `input` gets `null`. When as many calls
    /// run as the plan or the function allows, the answer is 429 at once. With the header
    /// `prefer: respond-async` it answers like `invoke-async`.
    #[oai(
        path = "/functions/:function_id/invoke",
        method = "post",
        operation_id = "invokeFunction"
    )]
    #[allow(clippy::too_many_arguments, reason = "one for each thing that the request may say")]
    async fn invoke(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// A version that is kept, instead of the one that serves.
        version: Query<VersionNumber>,
        /// A shorter time limit than the function's own, as `500ms` or `20s`.
        timeout: Query<Duration>,
        /// Answers with only so many of the last lines of the log.
        log_tail: Query<LineCount>,
        /// What becomes of the call when its caller leaves before the answer; `continue` when left
        /// out.
        on_disconnect: Query<OnDisconnect>,
        /// `respond-async`: do not wait.
        prefer: Header<Prefer>,
        body: Json<InvokeFunction>,
    ) -> Result<Invoked, Problem> {
        let how = How {
            version: version.0,
            timeout: timeout.0,
            log_tail: log_tail.0,
            on_disconnect: on_disconnect.0.unwrap_or(OnDisconnect::Continue),
            respond_async: prefer.0.is_some_and(|prefer| prefer.respond_async),
        };
        invoke::invoke(&state, &caller, function_id.0, body.0, how).await
    }

    /// Call a function later
    ///
    /// Answers as soon as the call is durable; `location` is where to look for its result. Calls
    /// beyond what may run at once wait their turn.
    #[oai(
        path = "/functions/:function_id/invoke-async",
        method = "post",
        operation_id = "invokeFunctionAsync"
    )]
    async fn invoke_async(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// A version that is kept, instead of the one that serves.
        version: Query<VersionNumber>,
        /// A shorter time limit than the function's own, as `500ms` or `20s`.
        timeout: Query<Duration>,
        body: Json<InvokeLater>,
    ) -> Result<Accepted<Queued>, Problem> {
        invoke_async::invoke_async(&state, &caller, function_id.0, body.0, version.0, timeout.0)
            .await
    }

    /// Call a function many times
    ///
    /// Accepts up to 100 calls at once, all of them or none.
    #[oai(
        path = "/functions/:function_id/invoke-batch",
        method = "post",
        operation_id = "invokeFunctionBatch"
    )]
    async fn invoke_batch(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// A shorter time limit than the function's own, as `500ms` or `20s`.
        timeout: Query<Duration>,
        body: Json<InvokeBatch>,
    ) -> Result<Accepted<QueuedBatch>, Problem> {
        batch::invoke_batch(&state, &caller, function_id.0, body.0, timeout.0).await
    }

    /// Get an execution
    ///
    /// With `wait`, answers when the execution has ended or the time is over, whichever is first.
    #[oai(
        path = "/functions/executions/:execution_id",
        method = "get",
        operation_id = "getExecution"
    )]
    async fn get(
        &self,
        state: ApiState,
        caller: Caller,
        execution_id: Path<ExecutionId>,
        /// How long to wait for the end: `500ms`, `20s`, at most `60s`.
        wait: Query<Wait>,
    ) -> Result<Okay<Execution>, Problem> {
        get::get(&state, &caller, execution_id.0, wait.0).await
    }

    /// Cancel an execution
    ///
    /// One that waits will not run; one that runs is ended within a second, which the answer waits
    /// for. Cancelling twice changes nothing; an execution that has ended otherwise is a conflict.
    #[oai(
        path = "/functions/executions/:execution_id/cancel",
        method = "post",
        operation_id = "cancelExecution"
    )]
    async fn cancel(
        &self,
        state: ApiState,
        caller: Caller,
        execution_id: Path<ExecutionId>,
    ) -> Result<Okay<Execution>, Problem> {
        cancel::cancel(&state, &caller, execution_id.0).await
    }

    /// Run an execution again
    ///
    /// The same version with the same input, as a new async execution.
    #[oai(
        path = "/functions/executions/:execution_id/replay",
        method = "post",
        operation_id = "replayExecution"
    )]
    async fn replay(
        &self,
        state: ApiState,
        caller: Caller,
        execution_id: Path<ExecutionId>,
    ) -> Result<Accepted<Queued>, Problem> {
        replay::replay(&state, &caller, execution_id.0).await
    }

    /// Read what became of a callback
    ///
    /// The message that tells how the execution ended, and every attempt to deliver it.
    #[oai(
        path = "/functions/executions/:execution_id/deliveries",
        method = "get",
        operation_id = "getDeliveries"
    )]
    async fn deliveries(
        &self,
        state: ApiState,
        caller: Caller,
        execution_id: Path<ExecutionId>,
    ) -> Result<Okay<Deliveries>, Problem> {
        deliveries::deliveries(&state, &caller, execution_id.0).await
    }

    /// Make or change the secret of a project's callbacks
    ///
    /// Callbacks are signed with it after Standard Webhooks: the headers `webhook-id`,
    /// `webhook-timestamp` and `webhook-signature`. It is shown this once. The one before signs too
    /// for another 24 hours.
    #[oai(
        path = "/projects/:project_id/callback-secret",
        method = "post",
        operation_id = "rotateCallbackSecret"
    )]
    async fn rotate_callback_secret(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
    ) -> Result<Created<CallbackSecret>, Problem> {
        callback_secret::rotate(&state, &caller, project_id.0).await
    }

    /// List the executions of a function
    ///
    /// Newest first, without inputs, outputs and logs.
    #[oai(
        path = "/functions/:function_id/executions",
        method = "get",
        operation_id = "listFunctionExecutions"
    )]
    #[allow(clippy::too_many_arguments, reason = "one for each filter")]
    async fn of_function(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// This far only.
        status: Query<ExecutionStatus>,
        /// That ended so only.
        reason: Query<Reason>,
        /// Accepted at this moment or later.
        from: Query<Timestamp>,
        /// Accepted before this moment.
        to: Query<Timestamp>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
        let conditions = Conditions {
            status: status.0,
            reason: reason.0,
            from: from.0,
            to: to.0,
            ..Conditions::default()
        };
        let size = limit.0.unwrap_or_default();
        history::of_function(&state, &caller, function_id.0, conditions, cursor.0, size).await
    }

    /// List the executions of a project
    ///
    /// Newest first, over all of its functions, without inputs, outputs and logs.
    #[oai(path = "/executions", method = "get", operation_id = "listExecutions")]
    #[allow(clippy::too_many_arguments, reason = "one for each filter")]
    async fn of_project(
        &self,
        state: ApiState,
        caller: Caller,
        /// The project.
        project_id: Needed<ProjectId>,
        /// Of this function only.
        function_id: Query<FunctionId>,
        /// This far only.
        status: Query<ExecutionStatus>,
        /// That ended so only.
        reason: Query<Reason>,
        /// By this user only.
        user_id: Query<UserId>,
        /// That came with this request only.
        request_id: Query<RequestId>,
        /// Accepted at this moment or later.
        from: Query<Timestamp>,
        /// Accepted before this moment.
        to: Query<Timestamp>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
        let conditions = Conditions {
            function: function_id.0,
            status: status.0,
            reason: reason.0,
            caller: user_id.0,
            request: request_id.0,
            from: from.0,
            to: to.0,
        };
        let size = limit.0.unwrap_or_default();
        history::of_project(&state, &caller, project_id.0, conditions, cursor.0, size).await
    }

    /// Count the executions of a project
    ///
    /// By status, over the same filters as the list.
    #[oai(path = "/executions/counts", method = "get", operation_id = "countExecutions")]
    #[allow(clippy::too_many_arguments, reason = "one for each filter")]
    async fn counts(
        &self,
        state: ApiState,
        caller: Caller,
        /// The project.
        project_id: Needed<ProjectId>,
        /// Of this function only.
        function_id: Query<FunctionId>,
        /// That ended so only.
        reason: Query<Reason>,
        /// By this user only.
        user_id: Query<UserId>,
        /// That came with this request only.
        request_id: Query<RequestId>,
        /// Accepted at this moment or later.
        from: Query<Timestamp>,
        /// Accepted before this moment.
        to: Query<Timestamp>,
    ) -> Result<Okay<ExecutionCounts>, Problem> {
        let conditions = Conditions {
            function: function_id.0,
            reason: reason.0,
            caller: user_id.0,
            request: request_id.0,
            from: from.0,
            to: to.0,
            ..Conditions::default()
        };
        counts::counts(&state, &caller, project_id.0, conditions).await
    }

    /// Read the log of a function
    ///
    /// The lines of all its executions, newest first; behind `after_seq`, oldest first.
    #[oai(path = "/functions/:function_id/logs", method = "get", operation_id = "listLogs")]
    #[allow(clippy::too_many_arguments, reason = "one for each filter")]
    async fn logs(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// Of this execution only.
        execution_id: Query<ExecutionId>,
        /// Of executions that are this far.
        status: Query<ExecutionStatus>,
        /// At least as grave.
        level: Query<Level>,
        /// That hold this text, without regard to case.
        text: Query<SearchText>,
        /// Read at this moment or later.
        from: Query<Timestamp>,
        /// Read before this moment.
        to: Query<Timestamp>,
        /// Behind this line of `execution_id`, oldest first.
        after_seq: Query<u32>,
        /// Before this line of `execution_id`.
        before_seq: Query<u32>,
        /// `next_cursor` of the page before.
        cursor: Query<LogCursor>,
        /// Lines per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<LogLine>>, Problem> {
        let filter = shared::store::log::Filter {
            execution: execution_id.0,
            status: status.0,
            level: level.0,
            text: text.0.map(|text| text.0),
            from: from.0.map(Timestamp::moment),
            to: to.0.map(Timestamp::moment),
            after_seq: after_seq.0,
            before_seq: before_seq.0,
        };
        let size = limit.0.unwrap_or_default();
        logs::list(&state, &caller, function_id.0, filter, cursor.0, size).await
    }
}
