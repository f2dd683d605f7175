//! Dead letters: async calls that failed for good, until somebody has dealt with them. One of them
//! is looked at like any execution.

mod bulk;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{FunctionId, IdCursor, PageSize, ProjectId, Reason};

use crate::{
    ApiState,
    answer::Okay,
    auth::Caller,
    body::Json,
    executions::views::ExecutionSummary,
    page::Page,
    params::{Path, Query},
    problem::Problem,
    routes::Chapter,
};

use views::{DeadLetters, DealtWith};

/// The routes of this chapter.
pub(crate) struct DeadLetterRoutes;

#[OpenApi(prefix_path = "/api/v1/projects", tag = "Chapter::Executions")]
impl DeadLetterRoutes {
    /// List dead letters
    ///
    /// Async calls that failed for good and that nobody has dealt with, newest first.
    #[oai(path = "/:project_id/dead-letters", method = "get", operation_id = "listDeadLetters")]
    #[allow(clippy::too_many_arguments, reason = "one for each filter")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        /// Of this function only.
        function_id: Query<FunctionId>,
        /// That ended so only.
        reason: Query<Reason>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
        let size = limit.0.unwrap_or_default();
        let which = (function_id.0, reason.0);
        bulk::list(&state, &caller, project_id.0, which, cursor.0, size).await
    }

    /// Run dead letters again
    ///
    /// Each as a new execution with the same version and input; at most 100 at once, the oldest
    /// first. Those that can no longer be run are skipped. With `dry_run`, only says which they would
    /// be.
    #[oai(
        path = "/:project_id/dead-letters/redrive",
        method = "post",
        operation_id = "redriveDeadLetters"
    )]
    async fn redrive(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        body: Json<DeadLetters>,
    ) -> Result<Okay<DealtWith>, Problem> {
        bulk::redrive(&state, &caller, project_id.0, body.0).await
    }

    /// Take dead letters off the list
    ///
    /// They stay in the history; at most 100 at once, the oldest first. With `dry_run`, only says
    /// which they would be.
    #[oai(
        path = "/:project_id/dead-letters/purge",
        method = "post",
        operation_id = "purgeDeadLetters"
    )]
    async fn purge(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        body: Json<DeadLetters>,
    ) -> Result<Okay<DealtWith>, Problem> {
        bulk::purge(&state, &caller, project_id.0, body.0).await
    }
}
