//! Tokens of machines: one project, one role, until they expire or are revoked.

mod create;
mod list;
mod revoke;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{IdCursor, PageSize, ProjectId, TokenId};

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

use views::{NewToken, ProjectToken, TokenCreated, TokenRevoked};

/// The routes of this chapter.
pub(crate) struct ProjectTokens;

#[OpenApi(prefix_path = "/api/v1/projects", tag = "Chapter::Projects")]
impl ProjectTokens {
    /// Create a token for a machine
    ///
    /// It begins with `apprun_pt_`, goes where an access token goes, and is shown this once.
    #[oai(path = "/:project_id/tokens", method = "post", operation_id = "createProjectToken")]
    async fn create(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        body: Json<NewToken>,
    ) -> Result<Created<TokenCreated>, Problem> {
        create::create(&state, &caller, project_id.0, body.0).await
    }

    /// List project tokens
    ///
    /// Those that are not revoked, newest first.
    #[oai(path = "/:project_id/tokens", method = "get", operation_id = "listProjectTokens")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<ProjectToken>>, Problem> {
        list::list(&state, &caller, project_id.0, cursor.0, limit.0.unwrap_or_default()).await
    }

    /// Revoke a project token
    ///
    /// At once: the next request with it is refused.
    #[oai(
        path = "/:project_id/tokens/:token_id",
        method = "delete",
        operation_id = "revokeProjectToken"
    )]
    async fn revoke(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        token_id: Path<TokenId>,
    ) -> Result<Okay<TokenRevoked>, Problem> {
        revoke::revoke(&state, &caller, project_id.0, token_id.0).await
    }
}
