//! Tells everybody what this worker can build with.

use compiler::Toolchains;
use shared::{
    store::{
        Db,
        toolchain::{self, Offer, RENEW_EVERY},
    },
    telemetry::chain,
};
use tokio_util::sync::CancellationToken;

/// Renews the offers until `stop`, then takes them back.
pub(crate) async fn keep_offering(
    db: Db,
    worker: String,
    toolchains: Toolchains,
    stop: CancellationToken,
) {
    let offers: Vec<_> = toolchains
        .installed()
        .into_iter()
        .map(|found| Offer { newest: found.newest, version: found.version })
        .collect();
    while !stop.is_cancelled() {
        renew(&db, &worker, &offers).await;
        tokio::select! {
            () = tokio::time::sleep(RENEW_EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
    renew(&db, &worker, &[]).await;
}

async fn renew(db: &Db, worker: &str, offers: &[Offer]) {
    if let Err(error) = toolchain::offer(db, worker, offers).await {
        tracing::warn!(error = chain(&error), "toolchains not announced");
    }
}
