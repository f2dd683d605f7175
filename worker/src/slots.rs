//! How many jobs may run at once: calls and builds are counted apart, so that builds never take a
//! call's place. A slot is held by value and comes back when it is dropped, whatever happened.

use std::sync::Arc;

use shared::queue::{Class, FreeSlots};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The slots of one worker; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    calls: Arc<Semaphore>,
    builds: Arc<Semaphore>,
    freed: Arc<Notify>,
}

/// The right to run one job.
#[derive(Debug)]
pub(crate) struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // First the permit, then the word of it, or the claimer would look too early.
        self.permit.take();
        self.freed.notify_one();
    }
}

impl Slots {
    /// Slots for calls; those for builds are added once builds are possible.
    pub(crate) fn new(calls: u32) -> Self {
        Self {
            calls: Arc::new(Semaphore::new(calls as usize)),
            builds: Arc::new(Semaphore::new(0)),
            freed: Arc::new(Notify::new()),
        }
    }

    /// Opens slots for builds.
    pub(crate) fn add_builds(&self, builds: u32) {
        self.builds.add_permits(builds as usize);
        self.freed.notify_one();
    }

    /// What is free now. Only the claimer takes slots, so for it this never shrinks by itself.
    pub(crate) fn free(&self) -> FreeSlots {
        let count =
            |slots: &Semaphore| u32::try_from(slots.available_permits()).unwrap_or(u32::MAX);
        FreeSlots { executions: count(&self.calls), builds: count(&self.builds) }
    }

    /// Takes a slot for a job of this class; None when there is none.
    pub(crate) fn take(&self, class: Class) -> Option<Slot> {
        let slots = if class == Class::Build { &self.builds } else { &self.calls };
        let permit = slots.clone().try_acquire_owned().ok()?;
        Some(Slot { permit: Some(permit), freed: self.freed.clone() })
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
        let slots = Slots::new(1);
        slots.add_builds(1);
        slots.freed().await;
        let slot = slots.take(Class::Sync).unwrap();
        assert_eq!(slots.free(), FreeSlots { executions: 0, builds: 1 });
        assert!(slots.take(Class::Async).is_none(), "calls share their slots");
        assert!(slots.take(Class::Build).is_some(), "builds have their own");
        drop(slot);
        slots.freed().await;
        assert_eq!(slots.free().executions, 1);
    }
}
