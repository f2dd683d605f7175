//! Claims jobs as slots become free and hands them on. Never asks for more than can start at once,
//! so a claimed job never waits here.

use std::{sync::Arc, time::Duration};

use shared::{
    queue::{self, ClaimedJob, Class, FreeSlots, JobKind, Signals},
    store::Db,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    lease::Held,
    slots::{Slot, Slots},
};

/// A job, the right to settle it, the lease under which it was claimed and a slot to run it in.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) job: ClaimedJob,
    pub(crate) held: Held,
    pub(crate) slot: Slot,
}

pub(crate) struct Claimer {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) slots: Slots,
    pub(crate) held: watch::Receiver<Option<Held>>,
    pub(crate) jobs_seen: Arc<Notify>,
    pub(crate) assignments: mpsc::UnboundedSender<Assignment>,
}

/// Which sorts of jobs may be waiting: one that gave fewer than asked for is empty until somebody
/// rings.
#[derive(Debug, Clone, Copy)]
struct Expected {
    calls: bool,
    builds: bool,
}

impl Expected {
    const ALL: Self = Self { calls: true, builds: true };

    fn of(self, free: FreeSlots) -> FreeSlots {
        FreeSlots {
            executions: if self.calls { free.executions } else { 0 },
            builds: if self.builds { free.builds } else { 0 },
        }
    }
}

impl Claimer {
    const TROUBLE_DELAY: Duration = Duration::from_millis(500);

    /// Claims until told to stop. The queue of assignments is bounded by the slots they hold.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut expected = Expected::ALL;
        while !stop.is_cancelled() {
            let ask = expected.of(self.slots.free());
            let held = self.held.borrow_and_update().clone();
            match held {
                Some(held) if !ask.is_none() => expected = self.claim(held, ask, expected).await,
                _ => tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.signals.jobs_waiting() => expected = Expected::ALL,
                    () = self.jobs_seen.notified() => expected = Expected::ALL,
                    () = self.slots.freed() => {}
                    // The sender lives as long as the worker; a closed channel means stop.
                    changed = self.held.changed() => if changed.is_err() { return },
                },
            }
        }
    }

    async fn claim(&self, held: Held, ask: FreeSlots, expected: Expected) -> Expected {
        let jobs = match queue::claim(&self.db, held.id, ask).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "claim failed");
                tokio::time::sleep(Self::TROUBLE_DELAY).await;
                return expected;
            }
        };
        let builds = jobs.iter().filter(|job| job.kind == JobKind::Compile).count() as u32;
        let calls = jobs.len() as u32 - builds;
        for job in jobs {
            self.assign(job, held.clone());
        }
        Expected {
            calls: if ask.executions > 0 { calls == ask.executions } else { expected.calls },
            builds: if ask.builds > 0 { builds == ask.builds } else { expected.builds },
        }
    }

    fn assign(&self, job: ClaimedJob, held: Held) {
        let class = match job.kind {
            JobKind::Compile => Class::Build,
            JobKind::Execute => Class::Sync,
        };
        match self.slots.take(class) {
            Some(slot) => {
                // A closed queue means that the worker ends; the lease's end gives the job back.
                let _ = self.assignments.send(Assignment { job, held, slot });
            }
            // Cannot be: only this task takes slots, and it asked for no more than were free.
            None => tracing::error!(subject = %job.subject, "a claimed job found no slot"),
        }
    }
}
