//! The API over real HTTP and a real Postgres. A worker's part is played by `harness::worker`.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod accounts;
mod bad_input;
mod calls;
mod document;
mod envelope;
mod functions;
mod harness;
mod invitations;
mod isolation;
mod members;
mod permissions;
mod project_tokens;
mod projects;
mod sessions;
mod uploads;
mod zip;
