//! The worker as a whole: start the sandboxes, then pull jobs and carry them out until told to stop.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use compiler::Toolchains;
use sandbox::{Conditions, Image, Sandbox};
use shared::{
    artifact::ArtifactStore,
    config::{PayloadLimits, Retention, Secret},
    domain::{Reach, WorkerIdentity},
    metrics::Metrics,
    queue::{CallLimits, Signals},
    seal::SecretKeys,
    store::{Db, StoreError},
    telemetry::chain,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    builder::BuilderOptions,
    cache::BinaryCache,
    callbacks::Callbacks,
    degraded,
    egress::Egress,
    house::House,
    jobs::{self, Services},
    opening::Opening,
    pull::{Assignment, Puller},
    slots::Slots,
};

/// What a worker needs to start.
#[derive(Debug)]
pub struct Options {
    /// For jobs.
    pub db: Db,
    /// To be woken and to wake.
    pub signals: Signals,
    /// For the connection that beats.
    pub database_url: Secret,
    /// Where binaries are kept.
    pub artifacts: ArtifactStore,
    /// Calls at once.
    pub call_slots: u32,
    /// How many calls a tenant may have running at once, by plan.
    pub call_limits: CallLimits,
    /// How much a call may say.
    pub payloads: PayloadLimits,
    /// How long running jobs may go on after the worker was told to stop.
    pub grace: Duration,
    /// Which addresses callbacks may go to.
    pub callback_reach: Reach,
    /// What functions with egress may reach; none runs here without.
    pub egress: Option<Egress>,
    /// How long things are kept.
    pub retention: Retention,
    /// Versions that stay of each function.
    pub kept_versions: u32,
    /// Open the secrets of functions, the newest key first; without any, calls of functions with
    /// secrets are left to other workers.
    pub secret_keys: Option<SecretKeys>,
    /// Toolchains, their caches, and builds at once.
    pub builder: BuilderOptions,
    /// Where it counts what it does.
    pub metrics: Metrics,
    /// Of the worker, for people: shown with its lease and on each execution.
    pub name: String,
    /// Layers of isolation that may be missing, and who starts spawners.
    pub conditions: Conditions,
}

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer of isolation is missing; it says which, why, and how to fix it.
    #[error("failed to start the sandbox")]
    Sandbox(#[from] sandbox::StartError),
    /// The same, of the sandbox that only functions with egress need.
    #[error(
        "failed to start the sandbox for functions with egress (APPRUN_EGRESS=off does without)"
    )]
    Egress(#[source] sandbox::StartError),
}

const SIDE_TASK_LIMIT: Duration = Duration::from_millis(500);

/// Bytes of binaries that a worker keeps in memory.
const BINARY_CACHE_BYTES: u64 = 256 << 20;

/// A worker that is ready to claim.
pub struct Worker {
    options: Options,
    services: Arc<Services>,
    beats: Db,
}

impl Worker {
    /// Starts the sandbox for calls and proves that it isolates. Nothing is claimed yet.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let beats = Db::connect(options.database_url.expose(), 1).await?;
        let (calls, egress) = tokio::try_join!(start_calls(&options), start_egress(&options))?;
        let missing = [Some(&calls), egress.as_ref()].into_iter().flatten();
        let missing: BTreeSet<_> = missing.flat_map(Sandbox::missing_layers).collect();
        let worker = WorkerIdentity {
            name: options.name.clone(),
            degraded: missing.iter().map(ToString::to_string).collect(),
        };
        for layer in &worker.degraded {
            options.metrics.worker.lacks(layer);
        }
        let services = Arc::new(Services {
            db: options.db.clone(),
            signals: options.signals.clone(),
            artifacts: options.artifacts.clone(),
            binaries: BinaryCache::new(
                options.artifacts.clone(),
                BINARY_CACHE_BYTES,
                options.metrics.worker.clone(),
            ),
            calls,
            egress,
            payloads: options.payloads,
            builder: watch::Sender::new(None),
            toolchains: watch::Sender::default(),
            secret_keys: options.secret_keys.clone(),
            metrics: options.metrics.clone(),
            worker,
            callbacks_due: Arc::new(Notify::new()),
        });
        Ok(Self { options, services, beats })
    }

    /// Layers of isolation that this worker does without, by name: for its readiness and metrics.
    pub fn degraded_layers(&self) -> &[String] {
        &self.services.worker.degraded
    }

    /// What it can build with now, and what is installed but cannot be used. Nothing at first: the
    /// toolchains are made ready beside the calls.
    pub fn toolchains(&self) -> watch::Receiver<Toolchains> {
        self.services.toolchains.subscribe()
    }

    /// Claims and carries out jobs until `stop`; then finishes what runs, for at most the grace time,
    /// gives back the rest, and leaves no process behind.
    pub async fn run(self, stop: CancellationToken) {
        let slots = Slots::new(self.options.call_slots, self.options.metrics.worker.clone());
        let puller = Puller {
            db: self.options.db.clone(),
            beats: self.beats,
            signals: self.options.signals.clone(),
            slots: slots.clone(),
            call_limits: self.options.call_limits,
            grace: self.options.grace,
            worker: self.services.worker.clone(),
            calls: self.options.metrics.functions.clone(),
        };
        let opening = Opening {
            services: self.services.clone(),
            options: self.options.builder,
            conditions: self.options.conditions,
            slots,
        };
        let calling_back = self.options.callback_reach;
        let calling_back =
            tokio::spawn(call_back(self.services.clone(), calling_back, stop.clone()));
        let readying = tokio::spawn(opening.open_builds(stop.clone()));
        let reminding = tokio::spawn(degraded::remind(self.services.worker.degraded.clone()));
        let house = House {
            db: self.options.db.clone(),
            signals: self.options.signals,
            artifacts: self.options.artifacts,
            retention: self.options.retention,
            metrics: self.options.metrics.worker.clone(),
            kept_versions: self.options.kept_versions,
            secret_keys: self.options.secret_keys,
        };
        let keeping_house = tokio::spawn(house.keep());
        let services = self.services.clone();
        puller.run(stop, move |assignment| carry_out(services.clone(), assignment)).await;
        tokio::join!(end(readying), end(calling_back));
        keeping_house.abort();
        reminding.abort();
        if let Some(services) = Arc::into_inner(self.services) {
            services.calls.stop().await;
            if let Some(egress) = services.egress {
                egress.stop().await;
            }
            let builder = services.builder.send_replace(None);
            if let Some(builder) = builder.and_then(Arc::into_inner) {
                builder.sandbox.stop().await;
            }
        }
    }
}

async fn start_calls(options: &Options) -> Result<Sandbox, StartError> {
    let options = sandbox::Options {
        slots: options.call_slots as usize,
        primed: options.call_slots as usize,
        conditions: options.conditions.clone(),
        ..sandbox::Options::new(Image::empty())
    };
    Ok(Sandbox::start(options).await?)
}

/// Few functions have egress, so few of its slots wait for them.
async fn start_egress(options: &Options) -> Result<Option<Sandbox>, StartError> {
    let Some(egress) = &options.egress else { return Ok(None) };
    let options = sandbox::Options {
        slots: options.call_slots as usize,
        gate: Some(egress.gate()),
        conditions: options.conditions.clone(),
        ..sandbox::Options::new(egress.image())
    };
    Sandbox::start(options).await.map(Some).map_err(StartError::Egress)
}

/// Waits for a task beside the jobs that was told to stop, and cuts off one that waits for a database
/// which says nothing.
async fn end(mut task: JoinHandle<()>) {
    if timeout(SIDE_TASK_LIMIT, &mut task).await.is_err() {
        task.abort();
        let _ = task.await;
    }
}

/// A task of its own, so that jobs run in parallel and a panic in one is seen and given back.
async fn carry_out(services: Arc<Services>, assignment: Assignment) {
    let (job, held) = (assignment.job.clone(), assignment.held.clone());
    let done = tokio::spawn(jobs::carry_out(services.clone(), assignment)).await;
    if done.is_err() {
        jobs::give_back_panicked(&services, &job, &held).await;
    }
}

/// Sends what callers want to be told. A machine that cannot speak TLS leaves that to the others.
async fn call_back(services: Arc<Services>, reach: Reach, stop: CancellationToken) {
    let (db, worker) = (services.db.clone(), services.worker.name.clone());
    let (due, keys) = (services.callbacks_due.clone(), services.secret_keys.clone());
    drop(services);
    match Callbacks::new(db, reach, worker, due, keys) {
        Ok(callbacks) => callbacks.send_until(stop).await,
        Err(error) => tracing::error!(error = chain(&error), "no callbacks are sent from here"),
    }
}
