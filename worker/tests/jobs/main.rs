//! Jobs from claim to outcome, with a real Postgres, real compilers and real sandboxes; and the
//! same end state when a worker is lost on the way.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod artifacts;
mod cancel;
mod fixture;
mod house;
mod lost;
mod outcomes;
mod toolchains;
mod variables;
