//! The table of contents: every route, and the document that describes them.

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, Response, Route, endpoint::make_sync, get};
use poem_openapi::{ExtraHeader, LicenseObject, OpenApi, OpenApiService, Tags};

use tokio::sync::Semaphore;

use crate::{
    ApiState, audit::Audit, auth::Auth, dead_letters::DeadLetterRoutes, document, door::Door,
    errors, executions::Executions, functions::Functions, health::Health, idempotency::Idempotent,
    invitations::Invitations, members::Members, metrics, offered::Offered, overview::Overview,
    project_tokens::ProjectTokens, projects::Projects,
};

/// All routes behind the door.
pub(crate) fn all(state: ApiState) -> impl Endpoint {
    let service = service();
    let offered = Offered::by(&APIS);
    let document = openapi();
    let docs = service.swagger_ui_html().replace(&service.spec(), &document);
    let places = Semaphore::new(state.config.max_requests);
    let metrics = state.process.metrics.http.clone();
    let trusted = state.config.trusted_proxies.clone();
    let routes = Route::new()
        .at("/openapi.json", get(page(document, "application/json")))
        .at("/metrics", metrics::endpoint(state.clone()))
        .at("/docs/errors/:code", get(errors::page))
        .at("/docs", get(page(docs, "text/html; charset=utf-8")))
        .nest("/", service);
    let routes = Idempotent(Arc::new(routes)).data(state);
    Door { routes, offered, trusted, places, metrics }
}

/// The OpenAPI document, as `/openapi.json` serves it and as it is kept in the repository.
pub fn openapi() -> String {
    // The routes describe themselves in JSON, which a test sees.
    document::complete(&service().spec()).unwrap_or_default()
}

/// A page that never changes.
fn page(text: String, kind: &'static str) -> impl Endpoint {
    let text: Arc<str> = text.into();
    make_sync(move |_| Response::builder().content_type(kind).body(text.to_string()))
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
