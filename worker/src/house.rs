//! Housekeeping: what must be done now and then by any one worker. Every step may be done at any
//! time, by several at once, and half.

use std::{error::Error, time::Duration};

use shared::{
    artifact::ArtifactStore,
    queue::Signals,
    seal::SecretKeys,
    store::{Db, StoreError, callback, idempotency, partition, retire, secret},
    telemetry::chain,
};
use tokio::time::timeout;

use crate::garbage::{self, GarbageError};

const EVERY: Duration = Duration::from_secs(3600);

/// What there is to look after.
pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) retention_days: u32,
    pub(crate) kept_versions: u32,
    pub(crate) secret_keys: Option<SecretKeys>,
}

impl House {
    /// Soon after the start and every hour, until it is dropped.
    pub(crate) async fn keep(self) {
        loop {
            step("maintain partitions", self.maintain_partitions()).await;
            step("clean old idempotency keys", self.clean_keys()).await;
            step("forget old callbacks", self.forget_callbacks()).await;
            step("give up old functions and versions", self.retire()).await;
            step("remove old binaries", self.remove_binaries()).await;
            step("seal secrets again", self.reseal()).await;
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn maintain_partitions(&self) -> Result<(), StoreError> {
        match partition::maintain(&self.db, self.retention_days).await? {
            0 => {}
            dropped => tracing::info!(dropped, "old executions and logs are gone"),
        }
        Ok(())
    }

    async fn clean_keys(&self) -> Result<(), StoreError> {
        idempotency::clean(&self.db).await?;
        Ok(())
    }

    async fn forget_callbacks(&self) -> Result<(), StoreError> {
        callback::forget(&self.db, self.retention_days).await?;
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
        match garbage::collect(&self.db, &self.artifacts, garbage::GRACE).await? {
            0 => {}
            removed => tracing::info!(removed, "binaries that nothing refers to are gone"),
        }
        Ok(())
    }

    async fn reseal(&self) -> Result<(), StoreError> {
        let Some(keys) = &self.secret_keys else { return Ok(()) };
        let resealed = secret::reseal(&self.db, keys).await?;
        let key_id = keys.newest_id();
        if resealed.renewed > 0 {
            tracing::info!(secrets = resealed.renewed, key_id, "sealed with the newest key");
        }
        if resealed.unreadable > 0 {
            let secrets = resealed.unreadable;
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
