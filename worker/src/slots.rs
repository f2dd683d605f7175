//! How many jobs may run at once: calls and builds are counted apart, so that builds never take a
//! call's place, and a tenth of the slots for calls is closed to async ones, so that a caller who
//! waits finds one. A slot is held by value and comes back when it is dropped, whatever happened.

use std::sync::Arc;

use shared::{
    metrics::{self, Busy},
    queue::{Class, FreeSlots},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Kinds of slots, as metrics name them.
const CALL: &str = "call";
const BUILD: &str = "build";

/// The slots of one worker; clones share them.
#[derive(Debug, Clone)]
pub struct Slots {
    calls: Arc<Semaphore>,
    /// An async call takes one of these too.
    background: Arc<Semaphore>,
    builds: Arc<Semaphore>,
    freed: Arc<Notify>,
    metrics: metrics::Worker,
}

/// The right to run one job.
#[derive(Debug)]
pub(crate) struct Slot {
    permits: Vec<OwnedSemaphorePermit>,
    _counted: Busy,
    freed: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // First the permits, then the word of it, or the claimer would look too early.
        self.permits.clear();
        self.freed.notify_one();
    }
}

impl Slots {
    /// Slots for calls; those for builds are added once builds are possible.
    pub fn new(calls: u32, metrics: metrics::Worker) -> Self {
        metrics.has_slots(CALL, calls);
        let kept_free = if calls > 1 { calls.div_ceil(10) } else { 0 };
        Self {
            calls: Arc::new(Semaphore::new(calls as usize)),
            background: Arc::new(Semaphore::new((calls - kept_free) as usize)),
            builds: Arc::new(Semaphore::new(0)),
            freed: Arc::new(Notify::new()),
            metrics,
        }
    }

    /// Opens slots for builds.
    pub fn add_builds(&self, builds: u32) {
        self.metrics.has_slots(BUILD, builds);
        self.builds.add_permits(builds as usize);
        self.freed.notify_one();
    }

    /// What is free now. Only the claimer takes slots, so for it this never shrinks by itself.
    pub(crate) fn free(&self) -> FreeSlots {
        let count =
            |slots: &Semaphore| u32::try_from(slots.available_permits()).unwrap_or(u32::MAX);
        let executions = count(&self.calls);
        let background = count(&self.background).min(executions);
        FreeSlots { executions, background, builds: count(&self.builds) }
    }

    /// Takes a slot for a job of this class; None when there is none.
    pub(crate) fn take(&self, class: Class) -> Option<Slot> {
        let (kind, needed): (_, &[&Arc<Semaphore>]) = match class {
            Class::Sync => (CALL, &[&self.calls]),
            Class::Async => (CALL, &[&self.calls, &self.background]),
            Class::Build => (BUILD, &[&self.builds]),
        };
        let permits = needed.iter().map(|slots| Arc::clone(slots).try_acquire_owned().ok());
        let permits = permits.collect::<Option<_>>()?;
        Some(Slot { permits, _counted: self.metrics.busy(kind), freed: self.freed.clone() })
    }

    /// Returns when a slot has come back since the last look.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_slot_comes_back_and_says_so() {
        let slots = Slots::new(1, metrics::Worker::default());
        slots.add_builds(1);
        slots.freed().await;
        let slot = slots.take(Class::Sync).unwrap();
        assert_eq!(slots.free(), FreeSlots { executions: 0, background: 0, builds: 1 });
        assert!(slots.take(Class::Async).is_none(), "calls share their slots");
        assert!(slots.take(Class::Build).is_some(), "builds have their own");
        drop(slot);
        slots.freed().await;
        assert_eq!(slots.free().executions, 1);
    }

    #[test]
    fn async_calls_leave_a_slot_for_callers_who_wait_and_sync_calls_do_not_use_up_theirs() {
        let slots = Slots::new(4, metrics::Worker::default());
        let background: Vec<_> = (0..3).map(|_| slots.take(Class::Async).unwrap()).collect();
        assert_eq!(slots.free(), FreeSlots { executions: 1, background: 0, builds: 0 });
        assert!(slots.take(Class::Async).is_none());
        let _sync: Vec<_> = slots.take(Class::Sync).into_iter().collect();
        drop(background);
        let _more = [slots.take(Class::Sync).unwrap(), slots.take(Class::Sync).unwrap()];
        assert_eq!(slots.free(), FreeSlots { executions: 1, background: 1, builds: 0 });
    }
}
