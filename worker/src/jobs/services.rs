//! What every job is carried out with.

use std::sync::Arc;

use compiler::Toolchains;
use sandbox::Sandbox;
use shared::{
    artifact::ArtifactStore, config::PayloadLimits, domain::WorkerIdentity, metrics::Metrics,
    queue::Signals, seal::SecretKeys, store::Db,
};
use tokio::sync::{Notify, watch};

use crate::{builder::Builder, cache::BinaryCache};

/// What jobs are carried out with.
pub(crate) struct Services {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) binaries: BinaryCache,
    /// Where calls run.
    pub(crate) calls: Sandbox,
    /// Where calls with egress run, if they do here.
    pub(crate) egress: Option<Sandbox>,
    /// How much a call may say.
    pub(crate) payloads: PayloadLimits,
    /// What builds need, once it is ready; a better one may take its place.
    pub(crate) builder: watch::Sender<Option<Arc<Builder>>>,
    /// What builds can be done with now, and what is in the way of others.
    pub(crate) toolchains: watch::Sender<Toolchains>,
    /// What opens the secrets of functions.
    pub(crate) secret_keys: Option<SecretKeys>,
    pub(crate) metrics: Metrics,
    /// Shown on each execution.
    pub(crate) worker: WorkerIdentity,
    /// Rung when a call ended that somebody wants to be told about.
    pub(crate) callbacks_due: Arc<Notify>,
}
