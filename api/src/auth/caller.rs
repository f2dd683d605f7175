//! Who is asking, and from where: parameters that handlers name.

use poem::{FromRequest, Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use shared::{
    domain::{Actor, RequestId, SessionId},
    store::audit::Deed,
};
use uuid::Uuid;

use crate::{ApiState, door::Visit, problem::Problem};

/// The name of the security scheme in the document.
const SCHEME: &str = "bearer";

/// Where a request came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) request: RequestId,
    remote_addr: Option<String>,
}

impl Origin {
    fn of(request: &Request, visit: &Visit) -> Self {
        let peer = request.remote_addr().as_socket_addr();
        Self { request: visit.request, remote_addr: peer.map(|peer| peer.ip().to_string()) }
    }

    /// A row for the audit record.
    pub(crate) fn deed(&self, actor: Actor, action: &'static str, resource: Uuid) -> Deed<'_> {
        Deed {
            tenant: actor.tenant,
            actor: actor.user,
            action,
            resource,
            request: self.request,
            remote_addr: self.remote_addr.as_deref(),
        }
    }
}

impl<'a> FromRequest<'a> for Origin {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self::of(request, visit(request)?))
    }
}

/// Somebody with a valid access token.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) session: SessionId,
    pub(crate) origin: Origin,
}

impl Caller {
    /// A row for the audit record.
    pub(crate) fn deed(&self, action: &'static str, resource: Uuid) -> Deed<'_> {
        self.origin.deed(self.actor, action, resource)
    }
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some("The access token of a login."),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("JWT"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SCHEME, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let state = ApiState::of(request)?;
        let visit = visit(request)?;
        let token = bearer_token(request)?;
        let (actor, session) = state.tokens.check_access(token).ok_or_else(|| {
            Problem::unauthenticated("the access token is not valid, or no longer; log in again")
        })?;
        // For the log line; the door asks once, so it is never set twice.
        let _ = visit.actor.set(actor);
        Ok(Self { actor, session, origin: Origin::of(request, visit) })
    }
}

fn visit(request: &Request) -> Result<&Visit, Problem> {
    let visit = request.extensions().get();
    visit.ok_or_else(|| Problem::internal("a request came in beside the door"))
}

fn bearer_token(request: &Request) -> Result<&str, Problem> {
    let given = request.header(header::AUTHORIZATION).and_then(|text| text.split_once(' '));
    match given {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::unauthenticated(
            "send an access token in the header 'Authorization: Bearer …'",
        )),
    }
}
