//! Who is asking, and from where: parameters that handlers name.

use std::net::{IpAddr, Ipv4Addr};

use poem::{FromRequest, Request, RequestBody, Result, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use shared::{
    domain::{Actor, Cause, ExecutionId, SessionId},
    store::{audit::Deed, project_token},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{outside, ticket};
use crate::{ApiState, door::Visit, idempotency::Held, limits::Allowance, problem::Problem};

/// The name of the security scheme in the document.
const SCHEME: &str = "bearer";

/// So much of it goes into the audit record.
const MAX_USER_AGENT_CHARS: usize = 256;

/// Where a request came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) cause: Cause,
    address: Option<IpAddr>,
    user_agent: Option<String>,
}

impl Origin {
    fn of(request: &Request, visit: &Visit) -> Self {
        let user_agent = request.header(header::USER_AGENT);
        let user_agent = user_agent.map(|text| text.chars().take(MAX_USER_AGENT_CHARS).collect());
        Self { cause: visit.cause, address: visit.address, user_agent }
    }

    /// Where it came from; a peer without an address counts as this machine.
    pub(crate) fn address(&self) -> IpAddr {
        self.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// A row for the audit record.
    pub(crate) fn deed(&self, actor: Actor, action: &'static str, resource: Uuid) -> Deed {
        Deed {
            tenant: actor.tenant,
            actor: Some(actor.user),
            action,
            resource,
            request: self.cause.request,
            remote_addr: self.address.map(|address| address.to_string()),
            user_agent: self.user_agent.clone(),
        }
    }
}

impl<'a> FromRequest<'a> for Origin {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let visit = Visit::about(request)?;
        let origin = Self::of(request, visit);
        count_anonymous(ApiState::of(request)?, visit, &origin).await?;
        Ok(origin)
    }
}

/// What a caller showed.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// An access token of a login.
    Session(SessionId),
    /// A token of the outside issuer.
    Outside,
    /// A project's token.
    Machine,
}

/// Somebody with a valid access token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    proof: Proof,
    pub(crate) origin: Origin,
    /// What is left of the tenant's minute; None where requests are not limited.
    pub(crate) allowance: Option<Allowance>,
    /// The idempotency key of this request, if it has one.
    pub(crate) held: Option<Held>,
}

impl Caller {
    /// Who sends this request, counted once, however often it is asked for.
    pub(crate) async fn of(request: &Request) -> Result<Self, Problem> {
        if let Some(known) = request.extensions().get::<Self>() {
            return Ok(known.clone());
        }
        let state = ApiState::of(request)?;
        let visit = Visit::about(request)?;
        let origin = Origin::of(request, visit);
        let checked = match bearer_token(request) {
            Ok(token) => check(state, &origin, token).await,
            Err(problem) => Err(problem),
        };
        let (actor, proof) = match checked {
            Ok(known) => known,
            Err(problem) => {
                count_anonymous(state, visit, &origin).await?;
                return Err(problem);
            }
        };
        // For the log line.
        let _ = visit.actor.set(actor);
        let counted = state.limiter.tenant(&state.db, actor.tenant).await;
        let allowance = counted.as_ref().ok().copied().flatten();
        visit.note(counted)?;
        Ok(Self { actor, proof, origin, allowance, held: None })
    }

    /// The id for the execution that this request makes.
    pub(crate) fn execution_id(&self) -> ExecutionId {
        self.held.as_ref().map_or_else(ExecutionId::new, |held| held.execution)
    }

    /// Cancelled when the caller leaves a request that is carried out to its end anyway; never of one
    /// that is dropped then.
    pub(crate) fn left(&self) -> CancellationToken {
        self.held.as_ref().map_or_else(CancellationToken::new, |held| held.left.clone())
    }

    /// The login behind the token; refuses whoever has none here.
    pub(crate) fn require_session(&self) -> Result<SessionId, Problem> {
        match self.proof {
            Proof::Session(session) => Ok(session),
            Proof::Outside => {
                Err(Problem::forbidden("the session is the outside issuer's; end it there"))
            }
            Proof::Machine => Err(no_session()),
        }
    }

    /// Refuses machines, which are at home in one project.
    pub(crate) fn require_person(&self) -> Result<(), Problem> {
        match self.proof {
            Proof::Session(_) | Proof::Outside => Ok(()),
            Proof::Machine => Err(no_session()),
        }
    }

    /// A row for the audit record.
    pub(crate) fn deed(&self, action: &'static str, resource: Uuid) -> Deed {
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
            description: Some(
                "The access token of a login, a project's token, or a token of the outside OpenID \
                 Connect issuer if this server has one (see `/info`).",
            ),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
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
        Ok(Self::of(request).await?)
    }
}

/// Counts a request of somebody who shows no valid token.
async fn count_anonymous(state: &ApiState, visit: &Visit, origin: &Origin) -> Result<(), Problem> {
    visit.note(state.limiter.address(origin.address()).await)
}

async fn check(state: &ApiState, origin: &Origin, token: &str) -> Result<(Actor, Proof), Problem> {
    if token.starts_with(ticket::PROJECT_TOKEN) {
        let machine = project_token::check(&state.db, &ticket::sha256(token)).await?;
        let refused = "the project token is not valid, was revoked, or has expired";
        let actor = machine.ok_or_else(|| Problem::unauthenticated(refused))?;
        return Ok((actor, Proof::Machine));
    }
    if let Some((actor, session)) = state.tokens.check_access(token) {
        return Ok((actor, Proof::Session(session)));
    }
    if let Some(outside) = &state.outside
        && let Some(person) = outside.check(token).await?
    {
        return Ok((outside::enter(state, origin, &person).await?, Proof::Outside));
    }
    Err(Problem::unauthenticated("the access token is not valid, or no longer; log in again"))
}

fn no_session() -> Problem {
    Problem::forbidden("a project token belongs to a machine, which has no session")
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
