//! `apprun api`: the HTTP side alone.

use std::time::Duration;

use shared::config::Config;
use tokio_util::sync::CancellationToken;

use crate::{error::CommandError, first_account, wiring};

/// How long requests may go on after SIGTERM unless the configuration says: as long as a sync call on
/// the free plan. The execution of one that takes longer goes on without its caller.
const GRACE: Duration = Duration::from_secs(30);

/// Serves until told to stop.
pub(super) async fn run(config: Config, stop: CancellationToken) -> Result<(), CommandError> {
    let process = wiring::starting_process();
    let missing = || CommandError::Missing { key: "jwt_secret", variable: "APPRUN_JWT_SECRET" };
    let jwt_secret = config.jwt_secret.clone().ok_or_else(missing)?;
    let database_url = wiring::database_url(&config)?;
    let listener = wiring::listen(config.http_addr).await?;
    let metrics = process.metrics.clone();
    let connecting = async {
        let connections = wiring::api_connections();
        let backbone = wiring::Backbone::connect(database_url, connections, metrics).await?;
        backbone.db.require_schema().await?;
        Ok::<_, CommandError>(backbone)
    };
    let backbone = api::while_starting(&process, &listener, connecting).await?;
    let grace = config.shutdown_grace.unwrap_or(GRACE);
    let state = backbone.api(&config, jwt_secret, process, grace);
    // The port is only known now if the configuration left it to the system.
    let address = listener.local_addr().unwrap_or(config.http_addr);
    tracing::info!(%address, "the API is listening");
    if let Some(setup_token) = state.setup_token().await? {
        first_account::tell(&setup_token, &format!("http://{address}"));
    }
    api::serve(state, listener, stop.cancelled_owned()).await;
    backbone.close().await;
    Ok(())
}
