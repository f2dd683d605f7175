//! Postgres for `dev` and `demo`: finds or fetches the programs, makes a data directory, starts,
//! stops, and cleans up after a run that was killed.
//!
//! The server listens on a unix socket inside its own 0700 directory and nowhere else, and knows one
//! login, whose random password never leaves this machine. Beside the sandbox this is the only
//! place that starts processes.

mod binaries;
mod cluster;
mod error;
mod fetch;
mod leftover;
mod server;
mod user;

pub(crate) use error::EmbeddedError;
pub(crate) use server::EmbeddedPostgres;

#[cfg(test)]
mod tests;
