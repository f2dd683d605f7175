//! What api and worker both need: the domain, the queue, the tables, the artifact store and the
//! configuration. No HTTP, no processes.

pub mod artifact;
pub mod config;
pub mod domain;
pub mod metrics;
pub mod queue;
pub mod seal;
pub mod store;
pub mod telemetry;
