//! Functions: deploy, look at.

pub(crate) mod access;
mod build;
mod build_views;
mod create;
mod get;
mod list;
mod settings;
mod source;
mod unpack;
pub(crate) mod views;

use poem_openapi::OpenApi;
use shared::domain::{BuildId, FunctionId, FunctionStatus, IdCursor, PageSize, ProjectId};

use crate::{
    ApiState,
    answer::{Created, Okay},
    auth::Caller,
    page::Page,
    params::{Path, Query},
    problem::Problem,
    routes::Chapter,
    upload::Upload,
};

use build_views::Build;
use views::{Function, FunctionCreated, FunctionDetails, NewFunction};

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
}
