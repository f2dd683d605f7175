//! Housekeeping: what must be done now and then by any one worker, whoever is first. Every step may be
//! done at any time, and half.

use std::{error::Error, time::Duration};

use shared::{
    artifact::ArtifactStore,
    config::Retention,
    metrics,
    queue::Signals,
    seal::SecretKeys,
    store::{
        Db, StoreError, callback,
        retention::{self, Kind},
        retire, secret,
    },
    telemetry::chain,
};
use tokio::time::timeout;

use crate::garbage::{self, GarbageError};

const EVERY: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What there is to look after.
pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) retention: Retention,
    pub(crate) metrics: metrics::Worker,
    pub(crate) kept_versions: u32,
    pub(crate) secret_keys: Option<SecretKeys>,
}

impl House {
    /// Soon after the start and every hour, until it is dropped.
    pub(crate) async fn keep(self) {
        loop {
            step("keep house", self.round()).await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// One round, unless another worker is at it.
    async fn round(&self) -> Result<(), StoreError> {
        let Some(_lock) = retention::begin(&self.db).await? else { return Ok(()) };
        step("make partitions", retention::make_partitions(&self.db)).await;
        step("give up old functions and versions", self.retire()).await;
        for kind in Kind::ALL {
            step(&format!("remove old {kind}"), self.remove(*kind)).await;
        }
        step("remove old binaries", self.remove_binaries()).await;
        step("seal secrets again", self.reseal()).await;
        Ok(())
    }

    async fn remove(&self, kind: Kind) -> Result<(), StoreError> {
        let removed = retention::remove(&self.db, kind, &self.retention).await?;
        let kind = kind.as_str();
        for (unit, count) in [("row", removed.rows), ("day", removed.days)] {
            if count > 0 {
                self.metrics.removed(kind, unit, count);
                tracing::info!(kind, unit, count, "what was older than it is kept is gone");
            }
        }
        Ok(())
    }

    async fn retire(&self) -> Result<(), StoreError> {
        let retired = retire::clean(&self.db, self.kept_versions).await?;
        for subject in &retired.cancelled {
            self.signals.finished(*subject);
        }
        if retired != retire::Retired::default() {
            let (versions, functions) = (retired.versions, retired.functions);
            tracing::info!(versions, functions, "old versions and deleted functions are gone");
        }
        Ok(())
    }

    async fn remove_binaries(&self) -> Result<(), GarbageError> {
        let grace = DAY * self.retention.artifacts;
        let removed = garbage::collect(&self.db, &self.artifacts, grace).await?;
        if removed > 0 {
            self.metrics.removed("artifacts", "binary", removed as u64);
            tracing::info!(removed, "binaries that nothing refers to are gone");
        }
        Ok(())
    }

    async fn reseal(&self) -> Result<(), StoreError> {
        let Some(keys) = &self.secret_keys else { return Ok(()) };
        let of_functions = secret::reseal(&self.db, keys).await?;
        let of_callbacks = callback::reseal(&self.db, keys).await?;
        let key_id = keys.newest_id();
        let renewed = of_functions.renewed + of_callbacks.renewed;
        if renewed > 0 {
            tracing::info!(secrets = renewed, key_id, "sealed with the newest key");
        }
        let secrets = of_functions.unreadable + of_callbacks.unreadable;
        if secrets > 0 {
            tracing::warn!(secrets, "secrets are sealed with keys that this worker does not have");
        }
        Ok(())
    }
}

/// One step; a database that never answers must not stop the others for ever.
async fn step<E: Error>(what: &str, step: impl Future<Output = Result<(), E>>) {
    match timeout(EVERY, step).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error = chain(&error), "failed to {what}"),
        Err(_) => tracing::warn!("failed to {what}: no answer"),
    }
}
