//! Databases for tests, each test its own, at a few tens of milliseconds apiece.
//!
//! One temporary Postgres serves every test process that runs at the same time (nextest gives each
//! test a process, so a server per test would cost a second each). It is started by
//! whoever comes first, and ends by itself some seconds after the last user, however that user
//! died. See `server.rs` for how.

mod database;
mod proxy;
mod server;
mod template;

pub use database::TestDatabase;
pub use proxy::{Fault, Proxy};
