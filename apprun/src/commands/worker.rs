//! `apprun worker`: builds and runs functions, nothing else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sandbox::Launcher;
use shared::{config::Config, metrics::Metrics};
use tokio_util::sync::CancellationToken;

use crate::{
    error::CommandError,
    wiring,
    worker_http::{Started, WorkerHttp},
};

/// How long running jobs may go on after SIGTERM unless the configuration says; what is left then is given back for others.
const GRACE: Duration = Duration::from_secs(30);

/// Works until told to stop.
pub(super) async fn run(
    config: Config,
    launcher: Launcher,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    let started_at = Instant::now();
    let listener = match config.worker_http_addr {
        Some(address) => Some((address, wiring::listen(address).await?)),
        None => None,
    };
    let artifacts = wiring::open_artifacts(&config).await?;
    let database_url = wiring::database_url(&config)?;
    let connections = wiring::worker_connections(&config);
    let metrics = Metrics::new(wiring::VERSION);
    let backbone = wiring::Backbone::connect(database_url, connections, metrics).await?;
    backbone.db.require_schema().await?;
    let (started, done) = (Arc::default(), CancellationToken::new());
    if let Some((configured, listener)) = listener {
        let answers = WorkerHttp {
            db: backbone.db.clone(),
            metrics: backbone.metrics.clone(),
            started_at,
            draining: stop.clone(),
            started: Arc::clone(&started),
        };
        // The port is only known now if the configuration left it to the system.
        let address = listener.local_addr().unwrap_or(configured);
        tracing::info!(%address, "health and metrics are served");
        tokio::spawn(answers.serve(listener, done.clone()));
    }
    let grace = config.shutdown_grace.unwrap_or(GRACE);
    let worker = backbone.worker(&config, artifacts, grace, launcher).await?;
    // Set once: only this function does.
    let degraded = worker.degraded_layers().to_vec();
    let _ = started.set(Started { degraded, toolchains: worker.toolchains() });
    tracing::info!(slots = config.worker_slots, "the worker takes jobs");
    worker.run(stop).await;
    done.cancel();
    backbone.close().await;
    Ok(())
}
