//! Jobs from claim to outcome, with a real Postgres, real compilers and real sandboxes; and the
//! same end state when a worker is lost on the way.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod artifacts;
mod cancel;
mod counted;
mod egress;
mod fixture;
mod house;
mod lost;
#[allow(dead_code, reason = "the tests of egress use the rest")]
#[path = "../egress/networks.rs"]
mod networks;
mod outcomes;
mod toolchains;
mod variables;
