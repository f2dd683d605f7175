//! Projects: the unit of ownership and roles.

pub(crate) mod access;
mod create;
mod delete;
mod get;
mod list;
mod rename;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{IdCursor, PageSize, ProjectId};

use crate::{
    ApiState,
    answer::{Created, Okay},
    auth::Caller,
    body::Json,
    page::Page,
    params::{Path, Query},
    problem::Problem,
    routes::Chapter,
};

pub(crate) use access::find;
use views::{NewProject, Project, ProjectCreated, ProjectDeleted};

/// The routes of this chapter.
pub(crate) struct Projects;

#[OpenApi(prefix_path = "/api/v1/projects", tag = "Chapter::Projects")]
impl Projects {
    /// Create a project
    #[oai(path = "/", method = "post", operation_id = "createProject")]
    async fn create(
        &self,
        state: ApiState,
        caller: Caller,
        body: Json<NewProject>,
    ) -> Result<Created<ProjectCreated>, Problem> {
        create::create(&state, &caller, body.0).await
    }

    /// Rename a project
    #[oai(path = "/:project_id", method = "put", operation_id = "renameProject")]
    async fn rename(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        body: Json<NewProject>,
    ) -> Result<Okay<Project>, Problem> {
        rename::rename(&state, &caller, project_id.0, body.0).await
    }

    /// Delete a project
    ///
    /// Its functions go with it, and its tokens and invitations end at once.
    #[oai(path = "/:project_id", method = "delete", operation_id = "deleteProject")]
    async fn delete(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
    ) -> Result<Okay<ProjectDeleted>, Problem> {
        delete::delete(&state, &caller, project_id.0).await
    }

    /// List projects
    ///
    /// Newest first, those that you have a role in.
    #[oai(path = "/", method = "get", operation_id = "listProjects")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Project>>, Problem> {
        list::list(&state, &caller, cursor.0, limit.0.unwrap_or_default()).await
    }

    /// Get a project
    #[oai(path = "/:project_id", method = "get", operation_id = "getProject")]
    async fn get(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
    ) -> Result<Okay<Project>, Problem> {
        get::get(&state, &caller, project_id.0).await
    }
}
