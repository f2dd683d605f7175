//! Members of a project and their roles.

mod add;
mod change;
mod list;
mod remove;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{IdCursor, PageSize, ProjectId, UserId};

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

use views::{Member, MemberRemoved, NewMember, NewRole};

/// The routes of this chapter.
pub(crate) struct Members;

#[OpenApi(prefix_path = "/api/v1/projects", tag = "Chapter::Projects")]
impl Members {
    /// List members
    ///
    /// With those whose role over the whole tenant reaches into this project.
    #[oai(path = "/:project_id/members", method = "get", operation_id = "listMembers")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Member>>, Problem> {
        list::list(&state, &caller, project_id.0, cursor.0, limit.0.unwrap_or_default()).await
    }

    /// Add a member
    ///
    /// Somebody who has a role elsewhere in the tenant; everybody else is invited.
    #[oai(path = "/:project_id/members", method = "post", operation_id = "addMember")]
    async fn add(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        body: Json<NewMember>,
    ) -> Result<Created<Member>, Problem> {
        add::add(&state, &caller, project_id.0, body.0).await
    }

    /// Change a member's role
    ///
    /// Nobody gives a role above their own, changes that of somebody above them, or takes the last
    /// owner away.
    #[oai(path = "/:project_id/members/:user_id", method = "put", operation_id = "changeMember")]
    async fn change(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        user_id: Path<UserId>,
        body: Json<NewRole>,
    ) -> Result<Okay<Member>, Problem> {
        change::change(&state, &caller, project_id.0, user_id.0, body.0).await
    }

    /// Remove a member
    #[oai(path = "/:project_id/members/:user_id", method = "delete", operation_id = "removeMember")]
    async fn remove(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        user_id: Path<UserId>,
    ) -> Result<Okay<MemberRemoved>, Problem> {
        remove::remove(&state, &caller, project_id.0, user_id.0).await
    }
}
