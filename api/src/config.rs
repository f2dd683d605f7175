//! What the API takes from the configuration.

use std::time::Duration;

use shared::{
    config::{FunctionSettings, OutsideIssuer, RateLimits, Registration, Retention, Secret},
    domain::{Network, Plan, Reach},
    seal::SecretKeys,
};

/// Settings of one API process.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Everything that is signed is signed with keys made from this; at least 32 bytes.
    pub jwt_secret: Secret,
    /// Whose tokens are accepted besides our own.
    pub outside_issuer: Option<OutsideIssuer>,
    /// How often its keys are asked for.
    pub key_pace: KeyPace,
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
    /// Bytes of their bodies that are held at once; requests that bring more are told to come again.
    pub max_body_bytes: usize,
    /// How long a client may take.
    pub patience: Patience,
    /// How long a refresh token that was used still gives its successor.
    pub refresh_grace: Duration,
    /// Who may register.
    pub registration: Registration,
    /// What a function gets, and what it may ask for.
    pub functions: FunctionSettings,
    /// Which addresses callbacks may go to.
    pub callback_reach: Reach,
    /// Proxies whose word about a caller's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// How long requests may go on after the server was told to stop.
    pub shutdown_grace: Duration,
    /// Before that, how long it goes on accepting while it says that it is not ready.
    pub shutdown_delay: Duration,
    /// How long things are kept.
    pub retention: Retention,
}

/// How long a client may take before it is given up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Between connecting, or the end of an answer, and the end of the next request's head.
    pub head: Duration,
    /// Over one body.
    pub body: Duration,
    /// Until it takes more of an answer.
    pub answer: Duration,
}

impl Default for Patience {
    /// Long enough for the idle connections of client pools, short enough for those who never finish.
    fn default() -> Self {
        Self {
            head: Duration::from_secs(60),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(30),
        }
    }
}

/// How often the keys of an outside issuer are asked for.
#[derive(Debug, Clone, Copy)]
pub struct KeyPace {
    /// At least this long between two attempts, whatever tokens come.
    pub floor: Duration,
    /// Keys that are older are asked for again.
    pub refresh_after: Duration,
    /// For so long the last keys go on while no new ones can be had.
    pub good_for: Duration,
}

impl Default for KeyPace {
    /// An issuer that rotates its keys publishes the new one well before it uses it; one that takes
    /// back a stolen key wants it gone within minutes.
    fn default() -> Self {
        Self {
            floor: Duration::from_secs(10),
            refresh_after: Duration::from_secs(10 * 60),
            good_for: Duration::from_secs(24 * 60 * 60),
        }
    }
}
