//! Tokens of an outside OpenID Connect issuer. A token names a key, the key names the algorithm: what
//! the token says about its algorithm must agree, and a shared secret is never a key here.

mod fetch;
mod jwk;
mod keys;
mod person;
mod token;

pub(super) use person::enter;
pub(crate) use token::Outside;
