//! How many requests a minute: of a tenant by its plan, of an address that shows no valid token. And one
//! sync call of a tenant after the other.

mod counts;
mod gates;
mod limiter;
mod redis;

pub(crate) use gates::{Gates, Passage};
pub(crate) use limiter::{Allowance, Limiter, Refused};
