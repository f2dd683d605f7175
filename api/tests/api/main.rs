//! The API over real HTTP and a real Postgres. A worker's part is played by `harness::worker`.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod accounts;
mod audit;
mod bad_input;
mod callbacks;
mod calls;
mod changes;
mod dead_letters;
mod deletes;
mod document;
mod endings;
mod envelope;
mod functions;
mod harness;
mod history;
mod idempotency;
mod invitations;
mod isolation;
mod later;
mod many_rows;
mod members;
mod metrics;
mod numbers;
mod outside;
mod overview;
mod permissions;
mod project_tokens;
mod projects;
mod rate_limits;
mod raw;
mod row_security;
mod sessions;
mod starting;
mod terms;
mod unheard;
mod uploads;
mod variables;
mod versions;
mod zip;
