//! Claims jobs as slots become free and hands them on. Never asks for more than can start at once,
//! so a claimed job never waits here.

use std::{sync::Arc, time::Duration};

use shared::{
    queue::{Claimed, ClaimedJob, FreeSlots, JobKind, LeaseId, Rounds, Signals},
    store::{Db, StoreError},
    telemetry::chain,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{lease::Held, pull::Assignment, running::Running, slots::Slots};

pub(crate) struct Claimer {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) slots: Slots,
    pub(crate) rounds: Rounds,
    pub(crate) held: watch::Receiver<Option<Held>>,
    pub(crate) jobs_seen: Arc<Notify>,
    pub(crate) running: Running,
    pub(crate) assignments: mpsc::UnboundedSender<Assignment>,
}

/// What is known of the jobs of one sort, calls or builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing is waiting until somebody rings.
    Empty,
    /// What waits is kept back by limits: worth a look when something here has ended.
    HeldUp,
    /// Worth a look as soon as there is a free slot.
    Waiting,
}

impl Line {
    fn after(asked: u32, got: u32, left_behind: bool) -> Self {
        match (asked == got, left_behind) {
            (true, _) => Self::Waiting,
            (false, true) => Self::HeldUp,
            (false, false) => Self::Empty,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Lines {
    calls: Line,
    builds: Line,
}

impl Lines {
    const UNKNOWN: Self = Self { calls: Line::Waiting, builds: Line::Waiting };

    fn ask(self, free: FreeSlots) -> FreeSlots {
        let only_if = |line, slots| if line == Line::Waiting { slots } else { 0 };
        FreeSlots {
            executions: only_if(self.calls, free.executions),
            background: only_if(self.calls, free.background),
            builds: only_if(self.builds, free.builds),
        }
    }

    fn something_ended(self) -> Self {
        let look = |line| if line == Line::HeldUp { Line::Waiting } else { line };
        Self { calls: look(self.calls), builds: look(self.builds) }
    }

    fn after(self, ask: FreeSlots, claimed: &Claimed) -> Self {
        let builds = claimed.jobs.iter().filter(|job| job.kind == JobKind::Compile).count() as u32;
        let calls = claimed.jobs.len() as u32 - builds;
        Self {
            calls: match ask.executions {
                0 => self.calls,
                // Without a slot for async calls nobody looked at their line.
                asked => {
                    let unseen = ask.background == 0;
                    Line::after(asked, calls, claimed.calls_left_behind || unseen)
                }
            },
            builds: match ask.builds {
                0 => self.builds,
                asked => Line::after(asked, builds, claimed.builds_left_behind),
            },
        }
    }
}

impl Claimer {
    const TROUBLE_DELAY: Duration = Duration::from_millis(500);

    /// A claim takes milliseconds; one that takes this long goes to a server or over a network that
    /// does not answer.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Claims until told to stop. The queue of assignments is bounded by the slots they hold.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut lines = Lines::UNKNOWN;
        while !stop.is_cancelled() {
            let ask = lines.ask(self.slots.free());
            let held = self.held.borrow_and_update().clone();
            match held {
                Some(held) if !ask.is_none() => lines = self.claim(held, ask, lines).await,
                _ => tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.signals.jobs_waiting(JobKind::Execute) => lines.calls = Line::Waiting,
                    () = self.signals.jobs_waiting(JobKind::Compile) => lines.builds = Line::Waiting,
                    () = self.jobs_seen.notified() => lines = Lines::UNKNOWN,
                    () = self.slots.freed() => lines = lines.something_ended(),
                    // The sender lives as long as the worker; a closed channel means stop.
                    changed = self.held.changed() => if changed.is_err() { return },
                },
            }
        }
    }

    async fn claim(&mut self, held: Held, ask: FreeSlots, lines: Lines) -> Lines {
        let claimed = tokio::select! {
            () = held.lost.cancelled() => return lines,
            claimed = timeout(Self::PATIENCE, self.claim_surely(held.id, ask)) => claimed,
        };
        let claimed = match claimed {
            Ok(Ok(claimed)) => claimed,
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "claim failed");
                tokio::time::sleep(Self::TROUBLE_DELAY).await;
                return lines;
            }
            Err(_) => {
                tracing::warn!("claim failed: no answer");
                return lines;
            }
        };
        let lines = lines.after(ask, &claimed);
        for job in claimed.jobs {
            self.assign(job, held.clone());
        }
        lines
    }

    /// Only once it is settled what became of the claims before.
    async fn claim_surely(
        &mut self,
        lease: LeaseId,
        ask: FreeSlots,
    ) -> Result<Claimed, StoreError> {
        if self.rounds.is_unsure(lease) {
            let known = self.running.tokens();
            let jobs = self.rounds.take_back_unheard(&self.db, lease, &known).await?;
            if jobs > 0 {
                tracing::warn!(
                    jobs,
                    "a claim was made and its answer lost; the jobs are ready again"
                );
            }
        }
        self.rounds.claim(&self.db, lease, ask).await
    }

    fn assign(&self, job: ClaimedJob, held: Held) {
        match self.slots.take(job.claim.class) {
            Some(slot) => {
                // A closed queue means that the worker ends; the lease's end gives the job back.
                let assignment = Assignment::new(job, held, &self.running, slot);
                let _ = self.assignments.send(assignment);
            }
            // Cannot be: only this task takes slots, and it asked for no more than were free.
            None => tracing::error!(subject = %job.subject, "a claimed job found no slot"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: FreeSlots = FreeSlots { executions: 4, background: 4, builds: 0 };

    #[test]
    fn a_line_held_up_by_limits_is_looked_at_when_something_ended_and_not_before() {
        let held_up = Claimed { calls_left_behind: true, ..Claimed::default() };
        let lines = Lines::UNKNOWN.after(FOUR, &held_up);
        assert_eq!(lines.ask(FOUR).executions, 0);
        assert_eq!(lines.something_ended().ask(FOUR), FOUR);
    }

    #[test]
    fn async_calls_that_nobody_could_ask_for_are_looked_for_when_something_ended() {
        let only_sync = FreeSlots { executions: 1, background: 0, builds: 0 };
        let lines = Lines::UNKNOWN.after(only_sync, &Claimed::default());
        assert!(lines.ask(only_sync).is_none(), "not at once: no slot came free");
        assert_eq!(lines.something_ended().ask(FOUR), FOUR);
    }

    #[test]
    fn an_empty_line_is_left_alone_until_somebody_rings() {
        let lines = Lines::UNKNOWN.after(FOUR, &Claimed::default());
        assert!(lines.something_ended().ask(FOUR).is_none());
        assert_eq!(lines.builds, Line::Waiting, "nobody asked for builds");
    }
}
