//! How many requests a minute: of a tenant by its plan, of an address that shows no valid token.

mod counts;
mod limiter;
mod redis;

pub(crate) use limiter::{Allowance, Limiter, Refused};
