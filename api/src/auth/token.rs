//! Tokens: HS256, signed with keys made from the one configured secret. The algorithm is ours to
//! say, never the token's.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::{
    config::Secret,
    domain::{Actor, SessionId},
    store::session::Session,
    telemetry::chain,
};
use time::OffsetDateTime;

use super::views::TokenPair;
use crate::problem::Problem;

const ISSUER: &str = "apprun";
const ACCESS_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Makes and checks tokens.
pub struct Tokens {
    access: Keys,
    refresh: Keys,
    setup: String,
}

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
struct AccessClaims {
    iss: String,
    aud: String,
    sub: String,
    tenant: String,
    session: String,
    iat: i64,
    exp: i64,
}

/// What a refresh token says. Nothing in it depends on when it was made, so the same generation of
/// a session always has the same token.
#[derive(Debug, Serialize, Deserialize)]
struct RefreshClaims {
    iss: String,
    aud: String,
    sub: String,
    generation: i32,
    exp: i64,
}

/// Keys of one kind of token.
struct Keys {
    audience: &'static str,
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// With keys made from the configured secret.
    pub fn new(secret: &Secret) -> Self {
        let secret = secret.expose().as_bytes();
        Self {
            access: Keys::new("apprun:access", secret),
            refresh: Keys::new("apprun:refresh", derived(secret, "refresh tokens").as_bytes()),
            setup: derived(secret, "the first account"),
        }
    }

    /// Both tokens of a session.
    pub(crate) fn pair(&self, session: Session, now: OffsetDateTime) -> Result<TokenPair, Problem> {
        let issued_at = now.unix_timestamp();
        let access = AccessClaims {
            iss: ISSUER.to_owned(),
            aud: self.access.audience.to_owned(),
            sub: session.actor.user.to_string(),
            tenant: session.actor.tenant.to_string(),
            session: session.id.to_string(),
            iat: issued_at,
            exp: issued_at + ACCESS_LIFETIME.as_secs() as i64,
        };
        let refresh = RefreshClaims {
            iss: ISSUER.to_owned(),
            aud: self.refresh.audience.to_owned(),
            sub: session.id.to_string(),
            generation: session.generation,
            exp: session.expires_at.unix_timestamp(),
        };
        Ok(TokenPair {
            access_token: self.access.sign(&access)?,
            refresh_token: self.refresh.sign(&refresh)?,
            token_type: "Bearer",
            expires_in: ACCESS_LIFETIME.as_secs(),
        })
    }

    /// Makes the first account of a server that has none. Always the same for one secret, so that
    /// every process of a deployment prints and takes the same one and none is stored.
    pub(crate) fn setup_token(&self) -> String {
        format!("apprun_setup_{}", self.setup)
    }

    /// Who an access token speaks for; None when it is not ours or has ended.
    pub fn check_access(&self, token: &str) -> Option<(Actor, SessionId)> {
        let claims: AccessClaims = self.access.check(token)?;
        let user = claims.sub.parse().ok()?;
        let tenant = claims.tenant.parse().ok()?;
        Some((Actor { user, tenant }, claims.session.parse().ok()?))
    }

    /// Which generation of which session a refresh token is; None when it is not ours or has ended.
    pub(crate) fn check_refresh(&self, token: &str) -> Option<(SessionId, i32)> {
        let claims: RefreshClaims = self.refresh.check(token)?;
        Some((claims.sub.parse().ok()?, claims.generation))
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(…)")
    }
}

impl Keys {
    fn new(audience: &'static str, secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.leeway = 0;
        Self {
            audience,
            sign: EncodingKey::from_secret(secret),
            check: DecodingKey::from_secret(secret),
            validation,
        }
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, Problem> {
        encode(&Header::new(Algorithm::HS256), claims, &self.sign)
            .map_err(|error| Problem::internal(chain(&error)))
    }

    fn check<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        decode(token, &self.check, &self.validation).ok().map(|token| token.claims)
    }
}

/// Another key from the same secret, so that what is made for one purpose can never pass for another.
fn derived(secret: &[u8], purpose: &str) -> String {
    let label = format!("apprun {purpose}, version 1");
    jsonwebtoken::crypto::sign(
        label.as_bytes(),
        &EncodingKey::from_secret(secret),
        Algorithm::HS256,
    )
    .expect("HMAC takes keys and messages of any length")
}
