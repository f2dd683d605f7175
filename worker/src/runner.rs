//! The worker as a whole: start the sandboxes, take a lease, claim under the apalis runtime, and,
//! when told to stop, finish what runs within the grace time and give the rest back.

use std::{sync::Arc, time::Duration};

use apalis::prelude::WorkerBuilder;
use apalis_core::task::data::Data;
use sandbox::{Image, Sandbox};
use shared::{
    artifact::ArtifactStore,
    queue::Signals,
    store::{Db, StoreError},
};
use tokio::sync::{Notify, OnceCell, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    backend::QueueBackend,
    builder::{Builder, BuilderOptions},
    cache::BinaryCache,
    claimer::{Assignment, Claimer},
    jobs::{self, Services},
    lease::{Held, Keeper},
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
    pub database_url: String,
    /// Where binaries are kept.
    pub artifacts: ArtifactStore,
    /// Calls at once.
    pub call_slots: u32,
    /// How long running jobs may go on after the worker was told to stop.
    pub grace: Duration,
    /// Toolchains, their caches, and builds at once.
    pub builder: BuilderOptions,
    /// Of the worker, for people: shown with its lease and on each execution.
    pub name: String,
}

/// Why a worker could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer of isolation is missing; it says which, why, and how to fix it.
    #[error(transparent)]
    Sandbox(#[from] sandbox::StartError),
}

const BUILDER_RETRY_DELAY: Duration = Duration::from_secs(10);

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
        let beats = Db::connect(&options.database_url, 1).await?;
        let calls = Sandbox::start(sandbox::Options {
            slots: options.call_slots as usize,
            primed: options.call_slots as usize,
            ..sandbox::Options::new(Image::empty())
        })
        .await?;
        let services = Arc::new(Services {
            db: options.db.clone(),
            signals: options.signals.clone(),
            artifacts: options.artifacts.clone(),
            binaries: BinaryCache::new(options.artifacts.clone(), BINARY_CACHE_BYTES),
            calls,
            builder: OnceCell::new(),
            worker: options.name.clone(),
        });
        Ok(Self { options, services, beats })
    }

    /// Claims and carries out jobs until `stop`; then finishes what runs, for at most the grace time,
    /// gives back the rest, and leaves no process behind.
    pub async fn run(self, stop: CancellationToken) {
        let (held_sender, held) = watch::channel(None);
        let (sender, assignments) = mpsc::unbounded_channel();
        let jobs_seen = Arc::new(Notify::new());
        let slots = Slots::new(self.options.call_slots);
        let keeper = Keeper {
            beats: self.beats,
            db: self.options.db.clone(),
            signals: self.options.signals.clone(),
            worker: self.options.name.clone(),
            held: held_sender,
            jobs_seen: jobs_seen.clone(),
        };
        let claimer = Claimer {
            db: self.options.db.clone(),
            signals: self.options.signals.clone(),
            slots: slots.clone(),
            held: held.clone(),
            jobs_seen,
            assignments: sender,
        };
        let all_done = CancellationToken::new();
        let keeping = tokio::spawn(keeper.keep(all_done.clone()));
        let claiming = tokio::spawn(claimer.run(stop.clone()));
        let ending = tokio::spawn(end_after_grace(stop.clone(), self.options.grace, held));
        let readying = tokio::spawn(open_builds(
            self.services.clone(),
            self.options.builder.clone(),
            slots,
            stop,
        ));
        run_assignments(&self.options.name, assignments, self.services.clone()).await;
        all_done.cancel();
        let _ = tokio::join!(claiming, keeping, readying);
        ending.abort();
        if let Some(services) = Arc::into_inner(self.services) {
            services.calls.stop().await;
            if let Some(builder) = services.builder.into_inner() {
                builder.sandbox.stop().await;
            }
        }
    }
}

/// The apalis worker: runs until the claimer is gone and the last assignment is done.
async fn run_assignments(
    name: &str,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    services: Arc<Services>,
) {
    let worker = WorkerBuilder::new(name)
        .backend(QueueBackend { assignments })
        .data(services)
        .build(carry_out);
    if let Err(error) = worker.run().await {
        // Neither the backend nor the handler can fail.
        tracing::error!(error = &error as &dyn std::error::Error, "the worker runtime ended");
    }
}

/// A task of its own, so that jobs run in parallel and a panic in one is seen and given back.
async fn carry_out(assignment: Assignment, services: Data<Arc<Services>>) {
    let (job, held) = (assignment.job.clone(), assignment.held.clone());
    let done = tokio::spawn(jobs::carry_out(services.0.clone(), assignment)).await;
    if done.is_err() {
        jobs::give_back_panicked(&services.0, &job, &held).await;
    }
}

/// Makes builds possible, trying again while that fails: calls go on meanwhile, and so do builds on
/// other workers.
async fn open_builds(
    services: Arc<Services>,
    options: BuilderOptions,
    slots: Slots,
    stop: CancellationToken,
) {
    loop {
        let made_ready = tokio::select! {
            made_ready = services.builder.get_or_try_init(|| Builder::make_ready(&options)) => made_ready,
            () = stop.cancelled() => return,
        };
        match made_ready {
            Ok(_) => return slots.add_builds(options.slots),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no builds here yet")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(BUILDER_RETRY_DELAY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Once the grace time is over, what still runs is ended as if the lease were lost: killed, not
/// recorded, and given back when the lease is released.
async fn end_after_grace(
    stop: CancellationToken,
    grace: Duration,
    held: watch::Receiver<Option<Held>>,
) {
    stop.cancelled().await;
    tokio::time::sleep(grace).await;
    if let Some(held) = &*held.borrow() {
        held.lost.cancel();
    }
}
