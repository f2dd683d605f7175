//! Functions: deploying, changing, reading and deleting them.

pub(crate) mod access;
mod build;
mod build_views;
mod change;
mod change_body;
mod create;
mod delete;
mod deployed;
mod details;
mod fields;
mod get;
mod list;
mod metrics;
mod roll_back;
mod secrets;
mod settings;
mod source;
mod stats;
mod toolchains;
mod unpack;
pub(crate) mod versions;
mod views;

use poem_openapi::OpenApi;
use shared::{
    domain::{
        BuildId, FunctionId, FunctionPart, FunctionStatus, IdCursor, PageSize, ProjectId,
        VersionNumber, Window,
    },
    store::function::Filter,
};

use crate::{
    ApiState,
    answer::{Created, Okay},
    auth::Caller,
    body::Json,
    page::Page,
    params::{Path, Query, SearchText, VersionCursor},
    problem::Problem,
    routes::Chapter,
    upload::Upload,
};

use build_views::Build;
use change_body::ChangeFunction;
use delete::FunctionDeleted;
use deployed::Deployed;
use details::FunctionDetails;
use metrics::FunctionMetrics;
use roll_back::RollBack;
use versions::{Source, Version};
use views::{Function, FunctionCreated, NewFunction};

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
    #[allow(clippy::too_many_arguments, reason = "one for each thing that the request may say")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        /// Of this project only.
        project_id: Query<ProjectId>,
        /// In this status only.
        status: Query<FunctionStatus>,
        /// With this text in their name, without regard to case.
        name: Query<SearchText>,
        /// `stats`: with what each did in the last 24 hours.
        include: Query<FunctionPart>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Function>>, Problem> {
        let name = name.0.map(|SearchText(text)| text);
        let filter = Filter { project: project_id.0, status: status.0, name };
        let size = limit.0.unwrap_or_default();
        list::list(&state, &caller, filter, include.0, cursor.0, size).await
    }

    /// Get a function
    ///
    /// With the settings and the build of the version that serves, and the build of a newer one that
    /// does not.
    #[oai(path = "/:function_id", method = "get", operation_id = "getFunction")]
    async fn get(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
    ) -> Result<Okay<FunctionDetails>, Problem> {
        get::get(&state, &caller, function_id.0).await
    }

    /// Change a function
    ///
    /// Makes a new version of what is sent and what is left out. A new source or runtime is built,
    /// and the version before serves until that is done; when it fails, for good. Settings alone
    /// need no build. Of several changes the last one wins, however long each build takes. For its
    /// creator, or an admin.
    #[oai(path = "/:function_id", method = "put", operation_id = "updateFunction")]
    async fn change(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        body: Upload<ChangeFunction>,
    ) -> Result<Okay<Deployed>, Problem> {
        change::change(&state, &caller, function_id.0, body).await
    }

    /// Delete a function
    ///
    /// Calls that run go on to their end; those that wait are cancelled. Its name is free at once.
    #[oai(path = "/:function_id", method = "delete", operation_id = "deleteFunction")]
    async fn delete(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
    ) -> Result<Okay<FunctionDeleted>, Problem> {
        delete::delete(&state, &caller, function_id.0).await
    }

    /// Get the numbers of a function
    ///
    /// Calls and failures, how long programs ran, what memory they took, and how many started cold:
    /// over a window up to now, and step by step. Of a function with very many calls only the last
    /// 100,000 of the window are looked at; `complete_since` says how far back those reach.
    #[oai(path = "/:function_id/metrics", method = "get", operation_id = "getFunctionMetrics")]
    async fn metrics(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// How far back; `24h` when left out.
        window: Query<Window>,
    ) -> Result<Okay<FunctionMetrics>, Problem> {
        let window = window.0.unwrap_or(Window::Day);
        metrics::metrics(&state, &caller, function_id.0, window).await
    }

    /// List the versions of a function
    ///
    /// Newest first: those that are kept.
    #[oai(path = "/:function_id/versions", method = "get", operation_id = "listVersions")]
    async fn versions(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        /// `next_cursor` of the page before.
        cursor: Query<VersionCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Version>>, Problem> {
        let size = limit.0.unwrap_or_default();
        versions::list(&state, &caller, function_id.0, cursor.0, size).await
    }

    /// Read the source of a version
    #[oai(
        path = "/:function_id/versions/:version/source",
        method = "get",
        operation_id = "getVersionSource"
    )]
    async fn source(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        version: Path<VersionNumber>,
    ) -> Result<Okay<Source>, Problem> {
        versions::source(&state, &caller, function_id.0, version.0).await
    }

    /// Go back to a version
    ///
    /// Or forward: any version that is kept and was built serves from now on, without a build.
    /// Builds that are on their way do not take over any more.
    #[oai(path = "/:function_id/rollback", method = "post", operation_id = "rollbackFunction")]
    async fn roll_back(
        &self,
        state: ApiState,
        caller: Caller,
        function_id: Path<FunctionId>,
        body: Json<RollBack>,
    ) -> Result<Okay<Deployed>, Problem> {
        roll_back::roll_back(&state, &caller, function_id.0, body.0).await
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
}
