//! The queue's promises, against a real Postgres.

#![allow(clippy::unwrap_used)]

mod cancel;
mod delivery;
mod fair;
mod fixture;
mod planner;
mod retry;
mod signals;
