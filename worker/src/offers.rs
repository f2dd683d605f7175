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
    pub(crate) fn new(db: Db, worker: String) -> Self {
        Self { db, worker, offers: Vec::new() }
    }

    /// Offers all that is installed, and nothing else any more. Returns when that went through, or at
    /// `stop`.
    pub(crate) async fn announce(&mut self, toolchains: &Toolchains, stop: &CancellationToken) {
        let installed = toolchains.installed().into_iter();
        self.offers =
            installed.map(|found| Offer { newest: found.newest, version: found.version }).collect();
        while self.tell(&self.offers).await.is_err() {
            tokio::select! {
                () = tokio::time::sleep(RETRY_DELAY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Renews the offers. Never ends.
    pub(crate) async fn keep(&self) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let _ = self.tell(&self.offers).await;
        }
    }

    pub(crate) async fn withdraw(self) {
        let _ = self.tell(&[]).await;
    }

    async fn tell(&self, offers: &[Offer]) -> Result<(), StoreError> {
        let told = toolchain::offer(&self.db, &self.worker, offers).await;
        told.inspect_err(|error| {
            tracing::warn!(error = chain(error), "toolchains not announced");
        })
    }
}
