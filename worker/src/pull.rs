//! Pulls jobs: keeps a lease, claims under it as slots become free, and hands each job to whoever
//! carries it out, under the apalis runtime. Knows nothing of what a job is about.

use std::{sync::Arc, time::Duration};

use apalis::prelude::WorkerBuilder;
use shared::{
    domain::WorkerIdentity,
    metrics,
    queue::{CallLimits, ClaimedJob, Rounds, SettleError, Signals},
    store::{Db, StoreError},
    telemetry::chain,
};
use tokio::sync::{Notify, broadcast::error::RecvError, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    backend::QueueBackend,
    claimer::Claimer,
    lease::{Held, Keeper},
    running::{Place, Running},
    slots::{Slot, Slots},
};

/// What pulling takes.
#[derive(Debug)]
pub struct Puller {
    /// For claims and for sweeping up.
    pub db: Db,
    /// One connection, for nothing but beats.
    pub beats: Db,
    /// To be woken and to wake.
    pub signals: Signals,
    /// How many jobs may run at once.
    pub slots: Slots,
    /// How many calls a tenant may have running at once.
    pub call_limits: CallLimits,
    /// How long running jobs may go on after `stop`.
    pub grace: Duration,
    /// Shown with the lease.
    pub worker: WorkerIdentity,
    /// Where calls are counted that end because their workers were lost.
    pub calls: metrics::Functions,
}

/// A job, the right to settle it, and a slot to run it in.
#[derive(Debug)]
pub struct Assignment {
    /// What to do, and the claim.
    pub job: ClaimedJob,
    /// The lease under which it was claimed.
    pub held: Held,
    /// Cancelled when the job must end: its lease is lost, or, if that is not so, somebody asked.
    pub stop: CancellationToken,
    _place: Place,
    _slot: Slot,
}

impl Assignment {
    pub(crate) fn new(job: ClaimedJob, held: Held, running: &Running, slot: Slot) -> Self {
        let stop = held.lost.child_token();
        let place = running.enter(&job, &stop);
        Self { job, held, stop, _place: place, _slot: slot }
    }
}

impl Puller {
    /// Pulls until `stop`; then what runs may finish for as long as the grace time, and the rest is
    /// given back. Returns when nothing runs any more and the lease is released.
    pub async fn run<C, F>(self, stop: CancellationToken, carry_out: C)
    where
        C: Fn(Assignment) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let (held_sender, held) = watch::channel(None);
        let (sender, assignments) = mpsc::unbounded_channel();
        let jobs_seen = Arc::new(Notify::new());
        let running = Running::default();
        let keeper = Keeper {
            beats: self.beats,
            db: self.db.clone(),
            signals: self.signals.clone(),
            worker: self.worker.clone(),
            held: held_sender,
            jobs_seen: jobs_seen.clone(),
            running: running.clone(),
            calls: self.calls,
        };
        let claimer = Claimer {
            db: self.db,
            signals: self.signals.clone(),
            slots: self.slots,
            rounds: Rounds::new(self.call_limits),
            held: held.clone(),
            jobs_seen,
            running: running.clone(),
            assignments: sender,
        };
        let all_done = CancellationToken::new();
        let keeping = tokio::spawn(keeper.keep(all_done.clone()));
        let claiming = tokio::spawn(claimer.run(stop.clone()));
        let ending = tokio::spawn(end_after_grace(stop, self.grace, held));
        let cancelling = tokio::spawn(cancel_on_request(self.signals, running));
        run_assignments(&self.worker.name, assignments, carry_out).await;
        all_done.cancel();
        let _ = tokio::join!(claiming, keeping);
        ending.abort();
        cancelling.abort();
    }
}

/// The apalis worker: runs until the claimer is gone and the last assignment is done.
async fn run_assignments<C, F>(
    name: &str,
    assignments: mpsc::UnboundedReceiver<Assignment>,
    carry_out: C,
) where
    C: Fn(Assignment) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let worker = WorkerBuilder::new(name)
        .backend(QueueBackend { assignments })
        .build(move |assignment: Assignment| carry_out(assignment));
    if let Err(error) = worker.run().await {
        // Neither the backend nor the handler can fail.
        tracing::error!(error = chain(&error), "the worker runtime ended");
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

async fn cancel_on_request(signals: Signals, running: Running) {
    let mut requests = signals.cancel_requests();
    loop {
        match requests.recv().await {
            Ok(subject) => running.cancel(subject),
            // The next beat names those that were missed.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Between two tries of a step while the database is in trouble.
const TROUBLE_DELAY: Duration = Duration::from_millis(250);

/// Repeats a step of a job until it went through or the lease is lost. Trouble that passes, such as
/// a restart of the database, never fails a job.
///
/// The step is one transaction. Should a COMMIT go through and its answer be lost, the next try
/// finds the claim stale, thanks to the fencing token, and changes nothing.
pub async fn through_trouble<T, E, S>(
    held: &Held,
    step: impl Fn() -> S,
) -> Result<T, Interrupted<E>>
where
    S: Future<Output = Result<T, E>>,
    E: Trouble,
{
    let until_through = async {
        loop {
            match step().await {
                Err(error) if error.passes() => {
                    tracing::warn!(error = chain(&error), "the database is in trouble");
                    tokio::time::sleep(TROUBLE_DELAY).await;
                }
                done => return done.map_err(Interrupted::Failed),
            }
        }
    };
    tokio::select! {
        done = until_through => done,
        // Also in the middle of a step: a server that is gone without a word never answers it.
        () = held.lost.cancelled() => Err(Interrupted::LeaseLost),
    }
}

/// Why a step was not carried through.
#[derive(Debug)]
pub enum Interrupted<E> {
    /// The job is, or will be, somebody else's.
    LeaseLost,
    /// Repeating it would not help.
    Failed(E),
}

/// An error that says whether waiting helps.
pub trait Trouble: std::error::Error + 'static {
    /// True when the same step may well succeed later.
    fn passes(&self) -> bool;
}

impl Trouble for StoreError {
    fn passes(&self) -> bool {
        self.is_transient()
    }
}

impl Trouble for SettleError {
    fn passes(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}
