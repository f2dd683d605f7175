//! Keeps the process's lease alive, once a second, on a connection of its own; and, since it looks
//! at the queue anyway, sweeps up after workers that are gone.
//!
//! A lease that was lost, or that may have been because no beat got through, ends everything that
//! runs under it: another worker may already be running the same jobs.

use std::{sync::Arc, time::Duration};

use shared::{
    domain::{Reason, WorkerIdentity},
    metrics,
    queue::{self, Beat, JobKind, LEASE_TIME, LeaseId, Signals},
    store::{Db, StoreError},
    telemetry::chain,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{burial::bury, running::Running};

/// Also the longest time after which a job is found whose wake-up was lost.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How long before the end of the lease, by our own clock, a worker that reaches no database counts
/// itself as lost: enough to kill what runs.
const SAFETY_MARGIN: Duration = Duration::from_millis(500);

/// What the callers of jobs are told whose workers were all lost.
const LOST_MESSAGE: &str = "the workers that ran it were lost, again and again";

/// After which a sweep is left to the next beat.
const SWEEP_PATIENCE: Duration = Duration::from_secs(10);

const REOPEN_DELAY: Duration = Duration::from_millis(500);

/// A lease that was alive when last heard of.
#[derive(Debug, Clone)]
pub struct Held {
    /// Claims are made in its name.
    pub(crate) id: LeaseId,
    /// Cancelled when the lease is lost: what runs under it must end and leave no trace.
    pub lost: CancellationToken,
}

/// The lease of this process, from its first to its last.
pub(crate) struct Keeper {
    /// One connection, for nothing but beats.
    pub(crate) beats: Db,
    /// For sweeping.
    pub(crate) db: Db,
    /// To tell the others what was swept up.
    pub(crate) signals: Signals,
    /// Shown with each lease.
    pub(crate) worker: WorkerIdentity,
    /// Where the current lease is shown.
    pub(crate) held: watch::Sender<Option<Held>>,
    /// Rung when the beat saw that jobs are waiting.
    pub(crate) jobs_seen: Arc<Notify>,
    /// What the beat may find to be cancelled.
    pub(crate) running: Running,
    /// Where calls are counted that end because their workers were lost.
    pub(crate) calls: metrics::Functions,
}

impl Keeper {
    /// Holds one lease after the other until told to stop, then gives back what the last one held.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // One that is opened after we gave up waiting expires by itself.
            match timeout(LEASE_TIME, queue::open_lease(&self.beats, &self.worker)).await {
                Ok(Ok(id)) => {
                    self.hold(id, &stop).await;
                    continue;
                }
                Ok(Err(error)) => tracing::warn!(error = chain(&error), "no lease yet"),
                Err(_) => tracing::warn!("no lease yet: no answer"),
            }
            tokio::select! {
                () = tokio::time::sleep(REOPEN_DELAY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn hold(&self, id: LeaseId, stop: &CancellationToken) {
        let held = Held { id, lost: CancellationToken::new() };
        self.held.send_replace(Some(held.clone()));
        tracing::debug!(lease = id.0, "lease opened");
        let lost = tokio::select! {
            () = self.beat_until_lost(id) => true,
            () = stop.cancelled() => false,
        };
        self.held.send_replace(None);
        if lost {
            tracing::error!(lease = id.0, "lease lost: everything that runs here is ended");
            held.lost.cancel();
            return;
        }
        match timeout(LEASE_TIME, queue::release_lease(&self.beats, id)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(jobs)) => {
                tracing::info!(jobs, "unfinished jobs given back");
                self.signals.jobs_pushed(JobKind::ALL);
            }
            // The lease ends by itself; the jobs are late then, not lost.
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "lease not released"),
            Err(_) => tracing::warn!("lease not released: no answer"),
        }
    }

    async fn beat_until_lost(&self, id: LeaseId) {
        let mut alive_since = Instant::now();
        loop {
            tokio::time::sleep_until(alive_since + BEAT_EVERY).await;
            let sent = Instant::now();
            let give_up_at = alive_since + LEASE_TIME - SAFETY_MARGIN;
            match timeout_at(give_up_at, self.beat_until_heard(id)).await {
                Ok(Beat { alive: true, .. }) => alive_since = sent,
                Ok(Beat { alive: false, .. }) | Err(_) => return,
            }
        }
    }

    async fn beat_until_heard(&self, id: LeaseId) -> Beat {
        loop {
            match queue::beat(&self.beats, id).await {
                Ok(beat) => {
                    self.look_after(&beat);
                    return beat;
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "beat failed");
                    tokio::time::sleep(REOPEN_DELAY).await;
                }
            }
        }
    }

    fn look_after(&self, beat: &Beat) {
        if beat.jobs_ready {
            self.jobs_seen.notify_one();
        }
        beat.cancelled.iter().for_each(|subject| self.running.cancel(*subject));
        if beat.leases_expired || beat.jobs_due {
            // Beside the beats: a slow sweep must not cost the lease.
            let (db, signals, calls) = (self.db.clone(), self.signals.clone(), self.calls.clone());
            tokio::spawn(async move {
                match timeout(SWEEP_PATIENCE, sweep(&db, &signals, &calls)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(error = chain(&error), "sweep failed"),
                    Err(_) => tracing::warn!("sweep failed: no answer"),
                }
            });
        }
    }
}

/// Brings back what lost workers held and what has become due.
async fn sweep(db: &Db, signals: &Signals, calls: &metrics::Functions) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let reaped = queue::reap(&mut tx).await?;
    let mut buried = Vec::with_capacity(reaped.dead.len());
    for job in &reaped.dead {
        buried.push(bury(&mut tx, job.kind, job.subject, Reason::WorkerLost, LOST_MESSAGE).await?);
    }
    tx.commit().await?;
    for (job, buried) in reaped.dead.iter().zip(&buried) {
        buried.count(calls);
        signals.finished(job.subject);
    }
    let promoted = queue::promote_due(db).await?;
    if reaped.leases > 0 {
        tracing::warn!(
            leases = reaped.leases,
            returned = reaped.returned,
            dead = reaped.dead.len(),
            "workers are gone; their jobs were taken back"
        );
    }
    if reaped.returned + promoted > 0 {
        signals.jobs_pushed(JobKind::ALL);
    }
    Ok(())
}
