//! Checks a token of the outside issuer, and reads whom it speaks for.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    config::OutsideIssuer,
    domain::{Email, PersonName},
    store::outsider::Identity,
    telemetry::chain,
};

use super::{jwk::Key, keys::Keys};
use crate::{config::KeyPace, problem::Problem};

/// The clocks of two operators may differ by this much.
const LEEWAY_SECONDS: u64 = 30;

/// Longest subject an issuer may give (OpenID Connect Core, section 2).
const MAX_SUBJECT_CHARS: usize = 255;

/// Checks the tokens of one issuer.
#[derive(Debug)]
pub(crate) struct Outside {
    issuer: OutsideIssuer,
    keys: Keys,
}

/// Somebody whom the issuer vouches for.
#[derive(Debug)]
pub(in crate::auth) struct Person<'a> {
    issuer: &'a str,
    subject: String,
    /// Only one that the issuer says it has verified.
    pub(super) email: Option<Email>,
    pub(super) name: PersonName,
}

impl Person<'_> {
    pub(super) fn identity(&self) -> Identity<'_> {
        Identity { issuer: self.issuer, subject: &self.subject }
    }
}

/// What a token says; everything but the subject comes in many forms, and may be missing.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
    #[serde(default)]
    name: Value,
}

impl Outside {
    pub(crate) fn new(issuer: OutsideIssuer, pace: KeyPace) -> Self {
        let keys = Keys::new(issuer.jwks_url.clone(), pace);
        Self { issuer, keys }
    }

    /// Who its tokens are from.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer.issuer
    }

    /// Whom a token speaks for; None when it is not the issuer's, not for us, or has ended.
    pub(in crate::auth) async fn check(&self, token: &str) -> Result<Option<Person<'_>>, Problem> {
        let Ok(header) = decode_header(token) else { return Ok(None) };
        // Asked only so that the issuer is not troubled for tokens that no key of its can have signed.
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA) {
            return Ok(None);
        }
        let key = self.keys.find(header.kid.as_deref()).await?;
        Ok(key.and_then(|key| self.read(token, &key)))
    }

    fn read(&self, token: &str, key: &Key) -> Option<Person<'_>> {
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.issuer.issuer]);
        validation.set_audience(&[&self.issuer.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECONDS;
        match decode::<Claims>(token, &key.check, &validation) {
            Ok(token) => self.person(token.claims),
            Err(error) => {
                tracing::info!(error = chain(&error), "a token of the outside issuer was refused");
                None
            }
        }
    }

    fn person(&self, claims: Claims) -> Option<Person<'_>> {
        let length = claims.sub.chars().count();
        if !(1..=MAX_SUBJECT_CHARS).contains(&length) || claims.sub.contains('\0') {
            return None;
        }
        // Some issuers send this boolean as a text.
        let is_verified = claims.email_verified == true || claims.email_verified == "true";
        let email = claims.email.as_str().and_then(|email| email.parse::<Email>().ok());
        let name = claims.name.as_str().and_then(|name| name.trim().parse().ok());
        let name = name.or_else(|| email.as_ref().map(PersonName::from_mailbox));
        Some(Person {
            issuer: &self.issuer.issuer,
            subject: claims.sub,
            name: name.unwrap_or_else(PersonName::unknown),
            email: email.filter(|_| is_verified),
        })
    }
}
