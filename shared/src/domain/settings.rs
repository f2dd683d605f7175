//! Everything about one version of a function but its source and its secrets.

use super::{EventName, RetryPolicy, Runtime, Trigger, Variables};

/// Settings of a version, within the limits of its tenant's plan.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionSettings {
    /// What its source is written in.
    pub runtime: Runtime,
    /// Wall-clock limit of a call.
    pub timeout_seconds: u32,
    /// Memory limit of a call.
    pub memory_mib: u32,
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
