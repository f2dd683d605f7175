//! Everything about one version of a function but its source and its secrets.

use super::{EventName, RetryPolicy, Runtime, Trigger, Variables, text_enum::text_enum};

text_enum!(
    /// What of the network a call can reach.
    NetworkAccess {
        /// Nothing: there is no network.
        None = "none",
        /// TCP to public addresses, by name or number.
        Egress = "egress",
    }
);

/// Settings of a version, within the limits of its tenant's plan.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionSettings {
    /// What its source is written in.
    pub runtime: Runtime,
    /// Wall-clock limit of a call.
    pub timeout_seconds: u32,
    /// Memory limit of a call.
    pub memory_mib: u32,
    /// What a call can reach.
    pub network: NetworkAccess,
    /// What calls it besides its invoke endpoints.
    pub trigger: Trigger,
    /// The events that call it; none unless the trigger is `event`.
    pub events: Vec<EventName>,
    /// Plain variables of its environment.
    pub env: Variables,
    /// How a failed async call is tried again.
    pub retry: RetryPolicy,
    /// Calls at once; None: as many as the tenant may have.
    pub max_concurrency: Option<u32>,
}
