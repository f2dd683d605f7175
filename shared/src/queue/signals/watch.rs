//! Waiting for one execution or build: by hints, and by looking now and then.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Notify, time::Instant};
use uuid::Uuid;

use super::state::{Shared, lock};

const FIRST_LOOK: Duration = Duration::from_millis(100);
const SLOWEST_LOOK: Duration = Duration::from_secs(1);

/// Somebody waiting for one row to become final.
#[derive(Debug)]
pub struct Watch {
    subject: Uuid,
    wake: Arc<Notify>,
    shared: Arc<Shared>,
    next_look: Duration,
    was_hinted: bool,
}

impl Watch {
    pub(super) fn register(subject: Uuid, shared: Arc<Shared>) -> Self {
        // One each, so that a hint is kept for a watcher that is not waiting at this moment.
        let wake = Arc::new(Notify::new());
        lock(&shared.watchers).entry(subject).or_default().push(wake.clone());
        Self { subject, wake, shared, next_look: FIRST_LOOK, was_hinted: false }
    }

    /// Returns true when it is time to read the row: after a hint, or after a while without one
    /// (100 ms, then doubling to 1 s). Returns false at the deadline.
    pub async fn changed(&mut self, deadline: Instant) -> bool {
        let look_at = Instant::now() + self.next_look;
        self.next_look = (self.next_look * 2).min(SLOWEST_LOOK);
        self.was_hinted = false;
        tokio::select! {
            () = self.wake.notified() => {
                self.was_hinted = true;
                true
            }
            () = tokio::time::sleep_until(look_at.min(deadline)) => look_at < deadline,
        }
    }

    /// Whether it was a hint that ended the last wait: the row is final then, as good as always.
    pub const fn was_hinted(&self) -> bool {
        self.was_hinted
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watchers = lock(&self.shared.watchers);
        if let Some(others) = watchers.get_mut(&self.subject) {
            others.retain(|wake| !Arc::ptr_eq(wake, &self.wake));
            if others.is_empty() {
                watchers.remove(&self.subject);
            }
        }
    }
}
