//! What the API takes from the configuration.

use std::time::Duration;

use shared::{
    config::{FunctionSettings, RateLimits, Registration, Secret},
    domain::{Plan, Reach},
    seal::SecretKeys,
};

/// Settings of one API process.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Everything that is signed is signed with keys made from this; at least 32 bytes.
    pub jwt_secret: Secret,
    /// Seal the secrets of functions; None: they are refused.
    pub secret_keys: Option<SecretKeys>,
    /// Of new tenants.
    pub default_plan: Plan,
    /// Requests a minute; None when they are not limited.
    pub rate_limits: Option<RateLimits>,
    /// Where requests are counted over several processes.
    pub redis_url: Option<Secret>,
    /// Requests worked on at once; more are told to come again.
    pub max_requests: usize,
    /// Who may register.
    pub registration: Registration,
    /// What a function gets, and what it may ask for.
    pub functions: FunctionSettings,
    /// Which addresses callbacks may go to.
    pub callback_reach: Reach,
    /// How long requests may go on after the server was told to stop.
    pub shutdown_grace: Duration,
}
