//! HTTP in, rows and jobs out. This room never starts a process and holds no SQL.
//!
//! A request walks through the door (`door`), is matched by `routes`, becomes valid values
//! (`params`, `body`, `auth::Caller`), and reaches one file under `auth/`, `projects/`, `functions/` or
//! another chapter, which does its work in one transaction and answers.

mod answer;
mod audit;
mod auth;
mod body;
mod conclude;
mod config;
mod content_type;
mod dead_letters;
mod document;
mod door;
mod errors;
mod examples;
mod executions;
mod forwarded;
mod functions;
mod headers;
mod health;
mod idempotency;
mod invitations;
mod limits;
mod members;
mod metrics;
mod offered;
mod overview;
mod page;
mod params;
mod permission;
mod problem;
mod project_tokens;
mod projects;
mod query;
mod resource;
mod routes;
mod server;
mod shape;
mod state;
mod unread;
mod upload;
mod wire;

pub use auth::Tokens;
pub use config::{ApiConfig, KeyPace, Patience};
pub use permission::{Needs, permissions};
pub use routes::openapi;
pub use server::{serve, while_starting};
pub use state::{ApiState, Process};
