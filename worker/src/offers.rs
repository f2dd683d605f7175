//! Tells everybody what this worker can build with. A claim brings only builds whose toolchain the
//! worker offers, so nothing is built here before the first offer went through.

use std::time::Duration;

use compiler::Toolchains;
use shared::{
    store::{
        Db, StoreError,
        toolchain::{self, Offer, RENEW_EVERY},
    },
    telemetry::chain,
};
use tokio_util::sync::CancellationToken;

/// After an offer that did not get through.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// What one worker offers, under its name.
pub(crate) struct Offers {
    db: Db,
    worker: String,
    offers: Vec<Offer>,
}

impl Offers {
    /// Of all that is installed.
    pub(crate) fn new(db: Db, worker: String, toolchains: &Toolchains) -> Self {
        let installed = toolchains.installed().into_iter();
        let offers =
            installed.map(|found| Offer { newest: found.newest, version: found.version }).collect();
        Self { db, worker, offers }
    }

    /// Returns when the first offer went through, or at `stop`.
    pub(crate) async fn announce(&self, stop: &CancellationToken) {
        while self.tell(&self.offers).await.is_err() {
            tokio::select! {
                () = tokio::time::sleep(RETRY_DELAY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Renews the offers until `stop`, then takes them back.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(RENEW_EVERY) => {}
                () = stop.cancelled() => break,
            }
            let _ = self.tell(&self.offers).await;
        }
        let _ = self.tell(&[]).await;
    }

    async fn tell(&self, offers: &[Offer]) -> Result<(), StoreError> {
        let told = toolchain::offer(&self.db, &self.worker, offers).await;
        told.inspect_err(|error| {
            tracing::warn!(error = chain(error), "toolchains not announced");
        })
    }
}
