//! The chapter `auth`: whose tokens are accepted besides our own, if anybody's.

use super::{
    parse::{non_empty, url},
    values::Values,
};

/// An OpenID Connect issuer that this server trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideIssuer {
    /// Where it publishes its keys: `https://…`, or `http://…` within a trusted network.
    pub jwks_url: String,
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// What tokens for this server say in `aud`.
    pub audience: String,
}

impl OutsideIssuer {
    /// All three settings, or none: a token that is checked against two of them is not checked.
    pub(super) fn read(values: &mut Values) -> Option<Self> {
        let jwks_url = values.optional("auth.jwks_url", url(&["https", "http"]));
        let issuer = values.optional("auth.issuer", non_empty);
        let audience = values.optional("auth.audience", non_empty);
        let given = [jwks_url.is_some(), issuer.is_some(), audience.is_some()];
        values.require(given == [true; 3] || given == [false; 3], || {
            "auth.jwks_url, auth.issuer and auth.audience must be set together".to_owned()
        });
        Some(Self { jwks_url: jwks_url?.expose().to_owned(), issuer: issuer?, audience: audience? })
    }
}
