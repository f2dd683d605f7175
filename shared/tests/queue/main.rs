//! The queue's promises, against a real Postgres.

#![allow(clippy::unwrap_used)]

mod cancel;
mod degraded;
mod delivery;
mod fair;
mod fixture;
mod growth;
mod planner;
mod properties;
mod retry;
mod signals;
mod unheard;
