//! Functions: deploy, look at, call.

mod access;
mod build;
mod call;
mod create;
mod execution;
mod execution_views;
mod executions;
mod get;
mod invoke;
mod invoke_async;
mod list;
mod logs;
mod settings;
mod source;
mod unpack;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{
    BuildId, ExecutionId, FunctionId, FunctionStatus, IdCursor, LogCursor, PageSize, ProjectId,
};

use crate::{
    ApiState,
    answer::{Accepted, Created, Okay},
    auth::Caller,
    body::Json,
    page::Page,
    params::{Path, Query, Wait},
    problem::Problem,
    routes::Chapter,
    upload::Upload,
};

use execution_views::{Build, Execution, ExecutionSummary, LogLine};
use views::{
    Called, Function, FunctionCreated, FunctionDetails, InvokeFunction, NewFunction, Queued,
};

/// The routes of this chapter.
pub(crate) struct Functions;

#[OpenApi(prefix_path = "/api/v1/functions", tag = "Chapter::Functions")]
impl Functions {
    /// Create a function
    ///
    /// Answers at once; the build is queued and the function is `pending` until it is done. The
    /// source comes as `code`, `code_base64`, `files`, or as a zip archive in a form.
    #[oai(path = "/", method = "post", operation_id = "createFunction")]
    async fn create(
        &self,
        state: ApiState,
        caller: Caller,
        body: Upload<NewFunction>,
    ) -> Result<Created<FunctionCreated>, Problem> {
        create::create(&state, &caller, body).await
    }

    /// List functions
    ///
    /// Newest first, those of all projects that you have a role in.
    #[oai(path = "/", method = "get", operation_id = "listFunctions")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        /// Of this project only.
        project_id: Query<ProjectId>,
        /// In this status only.
        status: Query<FunctionStatus>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Function>>, Problem> {
        let size = limit.0.unwrap_or_default();
        list::list(&state, &caller, project_id.0, status.0, cursor.0, size).await
    }

    /// Get a function
    ///
    /// With the settings of the version that serves, and the build of the newest one.
    #[oai(path = "/:function_id", method = "get", operation_id = "getFunction")]
    async fn get(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
    ) -> Result<Okay<FunctionDetails>, Problem> {
        get::get(&state, &caller, function_id.0).await
    }

    /// Get a build
    ///
    /// With its whole log and what the compiler said about which line.
    #[oai(path = "/:function_id/builds/:build_id", method = "get", operation_id = "getBuild")]
    async fn build(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        build_id: Path<BuildId>,
    ) -> Result<Okay<Build>, Problem> {
        build::get(&state, &caller, function_id.0, build_id.0).await
    }

    /// Call a function and wait
    ///
    /// Answers with the output. A call that fails answers with its `execution_id`, `reason` and
    /// `logs` in `error.details`. A call without `input` gets `null`.
    #[oai(path = "/:function_id/invoke", method = "post", operation_id = "invokeFunction")]
    async fn invoke(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        body: Json<InvokeFunction>,
    ) -> Result<Okay<Called>, Problem> {
        invoke::invoke(&state, &caller, function_id.0, body.0).await
    }

    /// Call a function later
    ///
    /// Answers as soon as the call is durable; `location` is where to look for its result.
    #[oai(
        path = "/:function_id/invoke-async",
        method = "post",
        operation_id = "invokeFunctionAsync"
    )]
    async fn invoke_async(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        body: Json<InvokeFunction>,
    ) -> Result<Accepted<Queued>, Problem> {
        invoke_async::invoke_async(&state, &caller, function_id.0, body.0).await
    }

    /// Get an execution
    ///
    /// With `wait`, answers when the execution has ended or the time is over, whichever is first.
    #[oai(path = "/executions/:execution_id", method = "get", operation_id = "getExecution")]
    async fn execution(
        &self,
        state: ApiState,
        caller: Caller,
        execution_id: Path<ExecutionId>,
        /// How long to wait for the end: `500ms`, `20s`, at most `60s`.
        wait: Query<Wait>,
    ) -> Result<Okay<Execution>, Problem> {
        execution::get(&state, &caller, execution_id.0, wait.0).await
    }

    /// List the executions of a function
    ///
    /// Newest first, without inputs, outputs and logs.
    #[oai(path = "/:function_id/executions", method = "get", operation_id = "listExecutions")]
    async fn executions(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
        let size = limit.0.unwrap_or_default();
        executions::list(&state, &caller, function_id.0, cursor.0, size).await
    }

    /// Read the log of a function
    ///
    /// The lines of all its executions, newest first.
    #[oai(path = "/:function_id/logs", method = "get", operation_id = "listLogs")]
    async fn logs(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// `next_cursor` of the page before.
        cursor: Query<LogCursor>,
        /// Lines per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<LogLine>>, Problem> {
        let size = limit.0.unwrap_or_default();
        logs::list(&state, &caller, function_id.0, cursor.0, size).await
    }
}
