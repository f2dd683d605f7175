//! The table of contents: every route, and the document that describes them.

use std::sync::Arc;

use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Route, endpoint::make_sync, get,
};
use poem_openapi::{ExtraHeader, LicenseObject, OpenApi, OpenApiService, Tags};

use tokio::sync::Semaphore;

use crate::{
    ApiState, Process, audit::Audit, auth::Auth, dead_letters::DeadLetterRoutes, document,
    door::Door, errors, executions::Executions, functions::Functions, health, health::Health,
    idempotency::Idempotent, invitations::Invitations, members::Members, metrics, offered::Offered,
    overview::Overview, problem::Problem, project_tokens::ProjectTokens, projects::Projects,
};

/// Requests at once of a process that starts; each is answered at once.
const MAX_WHILE_STARTING: usize = 256;

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

/// What there is before all of this: `/health`, and for everything else the word that it is too early.
pub(crate) fn starting(process: Process) -> impl Endpoint {
    let metrics = process.metrics.http.clone();
    let routes = make_sync(move |request: Request| match request.uri().path() {
        "/health" => health::of_starting(&process).into_response(),
        _ => poem::Error::from(Problem::overloaded("this process is starting")).into_response(),
    });
    Door {
        routes,
        offered: Offered::by(&APIS),
        trusted: Vec::new(),
        places: Semaphore::new(MAX_WHILE_STARTING),
        metrics,
    }
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
