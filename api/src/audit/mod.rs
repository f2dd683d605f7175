//! The audit record: who did what, from where. It is written where things are done, and only read
//! here.

mod list;
mod views;

use poem_openapi::OpenApi;
use shared::domain::{IdCursor, PageSize, RequestId, UserId};

use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, params::Query, problem::Problem,
    routes::Chapter, shape::Timestamp,
};

use views::{ActionName, Deed, ResourceUuid};

/// The routes of this chapter.
pub(crate) struct Audit;

#[OpenApi(prefix_path = "/api/v1", tag = "Chapter::Operations")]
impl Audit {
    /// Read the audit record
    ///
    /// What was done in the tenant, newest first. For its admins. Rows are never changed and never
    /// deleted.
    #[oai(path = "/audit", method = "get", operation_id = "listAudit")]
    #[allow(clippy::too_many_arguments, reason = "one for each filter")]
    async fn list(
        &self,
        state: ApiState,
        caller: Caller,
        /// What was done, as `project.create`, or `project` for everything done to projects.
        action: Query<ActionName>,
        /// By whom.
        user_id: Query<UserId>,
        /// To which resource: its id, with or without the prefix.
        resource_id: Query<ResourceUuid>,
        /// By which request.
        request_id: Query<RequestId>,
        /// Not before this moment.
        from: Query<Timestamp>,
        /// Before this moment.
        to: Query<Timestamp>,
        /// `next_cursor` of the page before.
        cursor: Query<IdCursor>,
        /// Rows per page, 50 when left out.
        limit: Query<PageSize>,
    ) -> Result<Okay<Page<Deed>>, Problem> {
        let filter = shared::store::audit::Filter {
            action: action.0.map(|action| action.0),
            actor: user_id.0,
            resource: resource_id.0.map(|resource| resource.0),
            request: request_id.0,
            from: from.0.map(Timestamp::moment),
            to: to.0.map(Timestamp::moment),
        };
        list::list(&state, &caller, &filter, cursor.0, limit.0.unwrap_or_default()).await
    }
}
