//! `apprun worker`: builds and runs functions, nothing else.

use std::time::Duration;

use sandbox::Launcher;
use shared::config::Config;
use tokio_util::sync::CancellationToken;

use crate::{error::CommandError, wiring};

/// How long running jobs may go on after SIGTERM; what is left then is given back for others.
const GRACE: Duration = Duration::from_secs(30);

/// Works until told to stop.
pub(super) async fn run(
    config: Config,
    launcher: Launcher,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    let artifacts = wiring::open_artifacts(&config).await?;
    let backbone = wiring::Backbone::connect(wiring::database_url(&config)?).await?;
    backbone.db.require_schema().await?;
    let worker = backbone.worker(&config, artifacts, GRACE, launcher).await?;
    tracing::info!(slots = config.worker_slots, "the worker takes jobs");
    worker.run(stop).await;
    backbone.close().await;
    Ok(())
}
