//! Invitations: how people come into a project who are not in its tenant.

mod accept;
mod create;
mod list;
mod revoke;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{IdCursor, InvitationId, PageSize, ProjectId};

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

pub(crate) use accept::open;
use views::{
    Accepted, AcceptedInvitation, Invitation, InvitationCreated, InvitationRevoked, NewInvitation,
};

/// The routes of this chapter.
pub(crate) struct Invitations;

#[OpenApi(prefix_path = "/api/v1", tag = "Chapter::Projects")]
impl Invitations {
    /// Invite somebody
    ///
    /// The answer holds a token, which is shown this once; hand it on. Whoever has the address and
    /// the token may accept: with an account by `/invitations/accept`, without one by registering
    /// with it.
    #[oai(
        path = "/projects/:project_id/invitations",
        method = "post",
        operation_id = "createInvitation"
    )]
    async fn create(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        body: Json<NewInvitation>,
    ) -> Result<Created<InvitationCreated>, Problem> {
        create::create(&state, &caller, project_id.0, body.0).await
    }

    /// List invitations
    ///
    /// Those that can still be accepted, newest first.
    #[oai(
        path = "/projects/:project_id/invitations",
        method = "get",
        operation_id = "listInvitations"
    )]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Invitation>>, Problem> {
        list::list(&state, &caller, project_id.0, cursor.0, limit.0.unwrap_or_default()).await
    }

    /// Revoke an invitation
    #[oai(
        path = "/projects/:project_id/invitations/:invitation_id",
        method = "delete",
        operation_id = "revokeInvitation"
    )]
    async fn revoke(
        &self,
        state: ApiState,
        caller: Caller,
        project_id: Path<ProjectId>,
        invitation_id: Path<InvitationId>,
    ) -> Result<Okay<InvitationRevoked>, Problem> {
        revoke::revoke(&state, &caller, project_id.0, invitation_id.0).await
    }

    /// Accept an invitation
    ///
    /// For somebody with an account. The project may belong to another tenant; `/auth/switch` goes
    /// there.
    #[oai(path = "/invitations/accept", method = "post", operation_id = "acceptInvitation")]
    async fn accept(
        &self,
        state: ApiState,
        caller: Caller,
        body: Json<AcceptedInvitation>,
    ) -> Result<Okay<Accepted>, Problem> {
        accept::accept(&state, &caller, body.0).await
    }
}
