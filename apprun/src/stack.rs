//! API and worker in one process over a Postgres of its own: what `dev` runs and `demo` shows.

use std::{net::SocketAddr, time::Duration};

use api::{ApiState, Process};
use sandbox::Launcher;
use shared::{
    artifact::ArtifactStore,
    config::{Config, FunctionSettings, Secret},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use worker::Worker;

use crate::{
    data_dir::DataDir, embedded::EmbeddedPostgres, error::CommandError, wiring, wiring::Backbone,
};

/// How long requests may go on once this is told to stop, and then jobs, unless the configuration says:
/// whoever pressed Ctrl-C waits for it, or presses it again.
const GRACE: Duration = Duration::from_secs(5);
/// Past its grace a room needs a moment to end what it cut off; more than this is a fault.
const STOP_LIMIT: Duration = Duration::from_millis(1200);
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// A running stack. [`Stack::stop`] ends it in order; the end of the process ends it too.
#[derive(Debug)]
pub(crate) struct Stack {
    rooms: Rooms,
    postgres: Option<EmbeddedPostgres>,
    started_in: Duration,
    /// Locked to the end: nobody else may use the directory while Postgres stops.
    _data_dir: DataDir,
}

impl Stack {
    /// Starts everything in `config.data_dir` and returns once requests are accepted. When `stop`
    /// comes first, or a part fails, what had started is stopped again.
    pub(crate) async fn start(
        config: &Config,
        stop: &CancellationToken,
    ) -> Result<Self, CommandError> {
        let process = wiring::starting_process();
        let started_at = process.started_at;
        let data_dir = DataDir::open(&config.data_dir)?;
        let listener = wiring::listen(config.http_addr).await?;
        let preparing = prepare(config, &process, &data_dir, stop);
        let (postgres, prepared) = api::while_starting(&process, &listener, preparing).await?;
        match Rooms::open(prepared, config.http_addr, listener) {
            Ok(rooms) => {
                let started_in = started_at.elapsed();
                Ok(Self { rooms, postgres, started_in, _data_dir: data_dir })
            }
            Err(error) => {
                stop_postgres(postgres).await;
                Err(error)
            }
        }
    }

    /// `http://` and the address, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.rooms.address)
    }

    /// What makes the first account, where one is still to be made and not everybody may.
    pub(crate) fn setup_token(&self) -> Option<&str> {
        self.rooms.setup_token.as_deref()
    }

    /// From the call of `start` to the first request that would have been answered.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Waits for the Postgres to end by itself; for ever if it is not ours or does not.
    pub(crate) async fn postgres_ended(&self) {
        match &self.postgres {
            Some(postgres) => drop(postgres.ended().await),
            None => std::future::pending().await,
        }
    }

    /// Stops API, worker and Postgres. What still runs may end within the grace; an idle stack is gone in
    /// a moment.
    pub(crate) async fn stop(self) {
        self.rooms.stop().await;
        stop_postgres(self.postgres).await;
    }
}

/// What is slow: the Postgres, and all that the rooms need to open.
async fn prepare(
    config: &Config,
    process: &Process,
    data_dir: &DataDir,
    stop: &CancellationToken,
) -> Result<(Option<EmbeddedPostgres>, Prepared), CommandError> {
    // A wrong store ends a start at once.
    let artifacts = wiring::open_artifacts(config).await?;
    let postgres = start_postgres(config, data_dir).await?;
    let prepared = tokio::select! {
        prepared = Prepared::make(config, process, data_dir, artifacts, postgres.as_ref()) => prepared,
        () = stop.cancelled() => Err(CommandError::Interrupted),
    };
    match prepared {
        Ok(prepared) => Ok((postgres, prepared)),
        Err(error) => {
            stop_postgres(postgres).await;
            Err(error)
        }
    }
}

/// Two rooms that only have to be opened.
struct Prepared {
    setup_token: Option<String>,
    grace: Duration,
    state: ApiState,
    worker: Worker,
    backbone: Backbone,
}

impl Prepared {
    async fn make(
        config: &Config,
        process: &Process,
        data_dir: &DataDir,
        artifacts: ArtifactStore,
        postgres: Option<&EmbeddedPostgres>,
    ) -> Result<Self, CommandError> {
        let (url, metrics) = (database_url(config, postgres)?, process.metrics.clone());
        let backbone = Backbone::connect(url, wiring::worker_connections(config), metrics).await?;
        backbone.db.migrate().await?;
        let secret_keys = match &config.secret_keys {
            Some(configured) => configured.clone(),
            None => data_dir.secret_keys()?,
        };
        // Who tries things out on a machine of his own means them to work.
        let egress = Some(config.functions.egress.unwrap_or(true));
        let functions = FunctionSettings { egress, ..config.functions.clone() };
        let config = &Config { secret_keys: Some(secret_keys), functions, ..config.clone() };
        let grace = config.shutdown_grace.unwrap_or(GRACE);
        let worker = backbone.worker(config, artifacts, grace, Launcher::Direct).await?;
        let jwt_secret = match &config.jwt_secret {
            Some(configured) => configured.clone(),
            None => data_dir.jwt_secret()?,
        };
        let lacking = worker.degraded_layers().to_vec();
        let process = Process { lacking, ..process.clone() };
        let state = backbone.api(config, jwt_secret, process, grace);
        let setup_token = state.setup_token().await?;
        Ok(Self { setup_token, grace, state, worker, backbone })
    }
}

/// The two rooms, and what they share.
#[derive(Debug)]
struct Rooms {
    address: SocketAddr,
    setup_token: Option<String>,
    grace: Duration,
    api: Room,
    worker: Room,
    backbone: Backbone,
}

impl Rooms {
    fn open(
        prepared: Prepared,
        configured: SocketAddr,
        listener: TcpListener,
    ) -> Result<Self, CommandError> {
        let address = listener
            .local_addr()
            .map_err(|source| CommandError::Listen { address: configured, source })?;
        let Prepared { setup_token, grace, state, worker, backbone } = prepared;
        let api = Room::open("API", |stop| api::serve(state, listener, stop.cancelled_owned()));
        let worker = Room::open("worker", |stop| worker.run(stop));
        Ok(Self { address, setup_token, grace, api, worker, backbone })
    }

    async fn stop(self) {
        // First the API: the calls that its requests wait for may need a worker that still claims.
        self.api.stop(self.grace + STOP_LIMIT).await;
        self.worker.stop(self.grace + STOP_LIMIT).await;
        // Connections that are in use are cut off by the end of Postgres or of this process.
        let _ = tokio::time::timeout(CLOSE_LIMIT, self.backbone.close()).await;
    }
}

/// A room that runs by itself.
#[derive(Debug)]
struct Room {
    name: &'static str,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Room {
    fn open<F>(name: &'static str, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        Self { name, running: tokio::spawn(run(stop.clone())), stop }
    }

    async fn stop(mut self, limit: Duration) {
        self.stop.cancel();
        // A panic in it has been logged.
        if tokio::time::timeout(limit, &mut self.running).await.is_err() {
            tracing::error!("the {} did not stop in time and is cut off", self.name);
            self.running.abort();
        }
    }
}

fn database_url<'a>(
    config: &'a Config,
    postgres: Option<&'a EmbeddedPostgres>,
) -> Result<&'a Secret, CommandError> {
    match postgres {
        Some(embedded) => Ok(embedded.database_url()),
        None => wiring::database_url(config),
    }
}

/// A Postgres of our own, unless the configuration names one.
async fn start_postgres(
    config: &Config,
    data_dir: &DataDir,
) -> Result<Option<EmbeddedPostgres>, CommandError> {
    if config.database_url.is_some() {
        return Ok(None);
    }
    let programs = config.postgres_bin.as_deref();
    Ok(Some(EmbeddedPostgres::start(data_dir.path(), programs).await?))
}

async fn stop_postgres(postgres: Option<EmbeddedPostgres>) {
    if let Some(postgres) = postgres {
        postgres.stop().await;
    }
}
