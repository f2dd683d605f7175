//! The handle: how a process tells something to all others, and to itself at once.

use std::{
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::broadcast, task::JoinHandle, time::timeout};
use uuid::Uuid;

use super::{
    line::Line,
    state::{Shared, lock},
    watch::Watch,
};
use crate::{queue::JobKind, store::StoreError};

/// How long a process may hear nothing at all before it says something to hear whether it still
/// hears. All hear it, so one process does this for the others.
const ECHO_EVERY: Duration = Duration::from_secs(5);

/// How long `close` waits for a server that does not answer.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);

/// A process's ear and voice. Dropping the last handle ends both.
#[derive(Debug, Clone)]
pub struct Signals {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Tasks(Mutex<Vec<JoinHandle<()>>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        lock(&self.0).iter().for_each(JoinHandle::abort);
    }
}

impl Signals {
    /// Opens both connections. Later connection trouble is waited out; nothing is ever lost by it.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_echoing(url, ECHO_EVERY).await
    }

    /// The same, with another time between two echoes. An ear that misses two in a row is deaf,
    /// whatever its socket says, and is replaced.
    pub async fn connect_echoing(url: &str, echo_every: Duration) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::new());
        let tasks = Line::new(url, echo_every, shared.clone()).start().await?;
        Ok(Self { shared, tasks: Arc::new(Tasks(Mutex::new(tasks))) })
    }

    /// Says what is still to be said and closes both connections; for all handles. What is said
    /// later is heard by nobody.
    pub async fn close(&self) {
        self.shared.closing.send_replace(true);
        let tasks = mem::take(&mut *lock(&self.tasks.0));
        for mut task in tasks {
            if timeout(CLOSE_PATIENCE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }

    /// Says that jobs of these kinds were pushed. Call it after the commit.
    pub fn jobs_pushed(&self, kinds: &[JobKind]) {
        kinds.iter().for_each(|kind| self.shared.wake_claimer(*kind));
        lock(&self.shared.outbox).pushed.extend(kinds);
        self.shared.outbox_filled.notify_one();
    }

    /// Says that an execution or build has reached its final state. Call it after the commit.
    pub fn finished(&self, subject: Uuid) {
        self.shared.wake_watchers([subject]);
        lock(&self.shared.outbox).done.push(subject);
        self.shared.outbox_filled.notify_one();
    }

    /// Asks whoever runs the job about `subject` to end it. Call it after the commit.
    pub fn cancel_requested(&self, subject: Uuid) {
        // Nobody here may want to know, which is no error.
        let _ = self.shared.cancels.send(subject);
        lock(&self.shared.outbox).cancel.push(subject);
        self.shared.outbox_filled.notify_one();
    }

    /// From now on, the subjects that anybody anywhere wants to end.
    pub fn cancel_requests(&self) -> broadcast::Receiver<Uuid> {
        self.shared.cancels.subscribe()
    }

    /// Returns when somebody pushed jobs of this kind. For one waiter per process, the claimer.
    pub async fn jobs_waiting(&self, kind: JobKind) {
        self.shared.jobs_waiting[&kind].notified().await;
    }

    /// Watches for the end of an execution or build. Register before the commit that lets it start,
    /// or the hint may come too early.
    pub fn watch(&self, subject: Uuid) -> Watch {
        Watch::register(subject, self.shared.clone())
    }
}
