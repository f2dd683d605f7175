//! The configuration: one file `apprun.yaml`, the environment, flags, in that order of rising
//! weight. Everything is validated once, here; what comes out is typed and needs no second check.
//! This module reads a file and nothing else: it never creates a directory or opens a connection.

mod auth;
mod fetch;
mod nearest;
mod parse;
mod payloads;
mod plans;
mod retention;
mod secret;
mod services;
mod settings;
mod sources;
mod typed;
mod values;
mod yaml;

pub use auth::OutsideIssuer;
pub use fetch::{FetchSettings, Location};
pub use payloads::PayloadLimits;
pub use plans::Plans;
pub use retention::Retention;
pub use secret::Secret;
pub use services::Service;
pub use settings::{SETTINGS, Setting};
pub use sources::Sources;
pub use typed::{
    ArtifactLocation, CompilerSettings, Config, FunctionSettings, RateLimits, Registration,
    S3Settings,
};

/// Everything that is wrong with a configuration, one line per problem; each names the key, the
/// value, what is allowed, and the file and line, variable or flag it came from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the configuration:\n{}", problems.join("\n"))]
pub struct ConfigError {
    /// At least one.
    pub problems: Vec<String>,
}

#[cfg(test)]
mod tests;
