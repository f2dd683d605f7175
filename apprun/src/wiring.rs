//! Where the rooms meet: a configuration becomes a running API, a running worker, or both. `api`,
//! `worker`, `dev` and `demo` all start them here, so there is one way to do it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use api::{ApiConfig, ApiState, KeyPace, Patience, Process};
use compiler::Places;
use sandbox::{Conditions, Launcher, Layer};
use shared::{
    artifact::ArtifactStore,
    config::{CompilerSettings, Config, Registration, Secret},
    metrics::Metrics,
    queue::{CallLimits, Signals},
    store::{Bounds, Db},
};
use tokio::net::{TcpListener, TcpSocket};
use worker::{BuilderOptions, Egress, Worker};

use crate::error::CommandError;

/// For each core of a process, the statements that keep it busy. Few connections are better than many: each
/// is a process of the server, and one that is used often finds its plans in the processor's caches. Sync
/// calls were a sixth more a second over six connections than over sixteen.
const CONNECTIONS_PER_CORE: u32 = 2;
/// For a moment in which a statement takes long.
const SPARE_CONNECTIONS: u32 = 2;
/// However many cores there are. An API and two workers have fifty at most.
const MOST_CONNECTIONS: u32 = 10;
/// A build writes what came of it, beside the lock of what it builds, which has a connection of its own.
const CONNECTIONS_PER_BUILD: u32 = 1;
/// The kernel says that a connection can be written to again when a third of this is free, and an API takes 30
/// seconds without that word for the end: left to itself it buffers megabytes, and slow readers would be cut off.
const SEND_BUFFER_BYTES: u32 = 256 << 10;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Bytes of bodies that one API holds at once: 128 KiB for each of its requests, or some fifteen of the
/// largest sources.
const MAX_BODY_BYTES: usize = 256 << 20;

/// Of the running program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What API and worker share in one process.
#[derive(Debug, Clone)]
pub(crate) struct Backbone {
    pub(crate) db: Db,
    signals: Signals,
    database_url: Secret,
    pub(crate) metrics: Metrics,
}

impl Backbone {
    /// Connects to the database, with at most so many connections for statements.
    pub(crate) async fn connect(
        database_url: &Secret,
        bounds: Bounds,
        metrics: Metrics,
    ) -> Result<Self, CommandError> {
        let db = Db::connect(database_url.expose(), bounds).await?;
        let signals = Signals::connect(database_url.expose()).await?;
        Ok(Self { db, signals, database_url: database_url.clone(), metrics })
    }

    /// Closes every connection, once the last wake-ups are said.
    pub(crate) async fn close(&self) {
        self.signals.close().await;
        self.db.close().await;
    }

    /// The API's state: `grace` is how long requests may go on after it was told to stop.
    pub(crate) fn api(
        &self,
        config: &Config,
        jwt_secret: Secret,
        process: Process,
        grace: Duration,
    ) -> ApiState {
        let settings = ApiConfig {
            jwt_secret,
            outside_issuer: config.outside_issuer.clone(),
            key_pace: KeyPace::default(),
            secret_keys: config.secret_keys.clone(),
            default_plan: config.default_plan,
            rate_limits: config.rate_limits,
            redis_url: config.redis_url.clone(),
            max_requests: config.max_requests as usize,
            max_body_bytes: MAX_BODY_BYTES,
            patience: Patience::default(),
            refresh_grace: config.refresh_grace,
            registration: config.registration.unwrap_or(Registration::Invite),
            functions: config.functions.clone(),
            callback_reach: config.callback_reach.clone(),
            trusted_proxies: config.trusted_proxies.clone(),
            shutdown_grace: grace,
            shutdown_delay: config.shutdown_delay,
            retention: config.retention,
        };
        ApiState::new(self.db.clone(), self.signals.clone(), settings, process)
    }

    /// A worker that is ready to claim: `grace` is how long jobs may go on after it was told to stop.
    pub(crate) async fn worker(
        &self,
        config: &Config,
        artifacts: ArtifactStore,
        grace: Duration,
        launcher: Launcher,
    ) -> Result<Worker, CommandError> {
        let options = worker::Options {
            db: self.db.clone(),
            signals: self.signals.clone(),
            database_url: self.database_url.clone(),
            artifacts,
            call_slots: config.worker_slots,
            call_limits: CallLimits::new(|plan| {
                config.functions.limits_of(plan).concurrent_executions
            }),
            payloads: config.functions.payloads,
            grace,
            callback_reach: config.callback_reach.clone(),
            egress: config.functions.allows_egress().then(|| self.egress(config)),
            retention: config.retention,
            kept_versions: config.functions.kept_versions,
            secret_keys: config.secret_keys.clone(),
            builder: builder_options(config),
            metrics: self.metrics.clone(),
            name: worker_name(),
            conditions: Conditions { allow_degraded: allowed_layers(config)?, launcher },
        };
        Ok(Worker::start(options).await?)
    }

    fn egress(&self, config: &Config) -> Egress {
        Egress {
            reach: config.callback_reach.clone(),
            services: config.services(&self.database_url),
            resolv_conf: "/etc/resolv.conf".into(),
        }
    }
}

/// A process that has just begun to start, for its API to tell about.
pub(crate) fn starting_process() -> Process {
    let (started_at, metrics) = (Instant::now(), Metrics::new(VERSION));
    Process { version: VERSION, started_at, metrics, lacking: Vec::new() }
}

/// The configured database, for commands that cannot do without.
pub(crate) fn database_url(config: &Config) -> Result<&Secret, CommandError> {
    let missing = CommandError::Missing { key: "database_url", variable: "APPRUN_DATABASE_URL" };
    config.database_url.as_ref().ok_or(missing)
}

/// The layers of isolation that may be missing. There is no word for all of them.
pub(crate) fn allowed_layers(config: &Config) -> Result<Vec<Layer>, CommandError> {
    let layer = |name: &String| {
        Layer::from_name(name).ok_or_else(|| CommandError::UnknownLayer {
            name: name.clone(),
            known: Layer::all().map(Layer::name).collect::<Vec<_>>().join(", "),
        })
    };
    config.allow_degraded.iter().map(layer).collect()
}

/// Listens early: a taken port should be known before anything slow has been done.
pub(crate) async fn listen(address: SocketAddr) -> Result<TcpListener, CommandError> {
    bind(address).map_err(|source| CommandError::Listen { address, source })
}

/// Accepted connections have the listener's buffers.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Opens early: a store that cannot be used should be known before anything slow has been done.
pub(crate) async fn open_artifacts(config: &Config) -> Result<ArtifactStore, CommandError> {
    Ok(ArtifactStore::connect(&config.artifact_store, &config.s3).await?)
}

/// Connections of an API to the database, beside the two for wake-ups. Tokens, logins and the rate limit are
/// the platform's, and little beside what is done for tenants.
pub(crate) fn api_connections() -> Bounds {
    let busy = busy_connections();
    Bounds { platform: busy.div_ceil(2), tenants: busy }
}

/// The same of a worker, which does nothing on behalf of a tenant and has a third beside them, to beat; and
/// of a process that is both.
pub(crate) fn worker_connections(config: &Config) -> Bounds {
    let busy = busy_connections();
    Bounds { platform: busy + CONNECTIONS_PER_BUILD * config.build_slots, tenants: busy }
}

fn busy_connections() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    (CONNECTIONS_PER_CORE * cores + SPARE_CONNECTIONS).min(MOST_CONNECTIONS)
}

fn builder_options(config: &Config) -> BuilderOptions {
    BuilderOptions {
        places: places(&config.compiler),
        cache_dir: config.compiler.cache_dir.clone(),
        fetch: config.fetch.clone(),
        slots: config.build_slots,
    }
}

/// Where toolchains are looked for.
pub(crate) fn places(settings: &CompilerSettings) -> Places {
    Places {
        go_root: settings.go_root.clone(),
        rust_root: settings.rust_root.clone(),
        ..Places::from_environment()
    }
}

/// The machine and the process: what an operator needs to find a worker.
fn worker_name() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    format!("{}-{}", host.unwrap_or_else(|| "worker".to_owned()), std::process::id())
}
