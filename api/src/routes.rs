//! The table of contents: every route, and the document that describes them.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Route, get};
use poem_openapi::{ExtraHeader, LicenseObject, OpenApi, OpenApiService, Tags};

use tokio::sync::Semaphore;

use crate::{
    ApiState, audit::Audit, auth::Auth, dead_letters::DeadLetterRoutes, door::Door, errors,
    executions::Executions, functions::Functions, health::Health, idempotency::Idempotent,
    invitations::Invitations, members::Members, metrics, offered::Offered, overview::Overview,
    project_tokens::ProjectTokens, projects::Projects,
};

/// All routes behind the door.
pub(crate) fn all(state: ApiState) -> impl Endpoint {
    let service = service();
    let offered = Offered::by(&APIS);
    let document = service.spec_endpoint();
    let docs = service.swagger_ui();
    let places = Semaphore::new(state.config.max_requests);
    let metrics = state.process.metrics.http.clone();
    let routes = Route::new()
        .at("/openapi.json", document)
        .at("/metrics", metrics::endpoint(state.clone()))
        .at("/docs/errors/:code", get(errors::page))
        .nest("/docs", docs)
        .nest("/", service);
    let routes = Idempotent(Arc::new(routes)).data(state);
    Door { routes, offered, places, metrics }
}

/// The OpenAPI document, as `/openapi.json` serves it and as it is kept in the repository.
pub fn openapi() -> String {
    service().spec() + "\n"
}

type Apis = (
    Auth,
    Audit,
    Projects,
    Members,
    Invitations,
    ProjectTokens,
    Functions,
    Executions,
    DeadLetterRoutes,
    Overview,
    Health,
);

/// Every chapter.
const APIS: Apis = (
    Auth,
    Audit,
    Projects,
    Members,
    Invitations,
    ProjectTokens,
    Functions,
    Executions,
    DeadLetterRoutes,
    Overview,
    Health,
);

fn service() -> OpenApiService<impl OpenApi, ()> {
    OpenApiService::new(APIS, "apprun", "1")
        .description(include_str!("openapi.md"))
        .license(LicenseObject::new("Apache-2.0"))
        .extra_response_header::<String, _>(
            ExtraHeader::new("x-request-id").description("Leads to the log."),
        )
        .server("/")
}

/// Chapters of the document.
#[derive(Tags)]
pub(crate) enum Chapter {
    /// Accounts, logins and tokens.
    Auth,
    /// The unit of ownership and roles.
    Projects,
    /// Deploy and look at.
    Functions,
    /// Call, look up, end, run again.
    Executions,
    /// Whether this process is well.
    Operations,
}
