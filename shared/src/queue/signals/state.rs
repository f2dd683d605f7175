//! What the handle, those who watch and the two connections of a process share.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU32},
};

use tokio::{
    sync::{Notify, broadcast, watch},
    time::Instant,
};
use uuid::Uuid;

use crate::queue::JobKind;

/// Cancel requests that a slow receiver may fall behind before it misses some.
const CANCEL_BACKLOG: usize = 1024;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) jobs_waiting: HashMap<JobKind, Notify>,
    pub(super) cancels: broadcast::Sender<Uuid>,
    pub(super) watchers: Mutex<HashMap<Uuid, Vec<Arc<Notify>>>>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) outbox_filled: Notify,
    /// When anything was heard last.
    pub(super) heard_at: Mutex<Instant>,
    /// The server's number of the connection that speaks. What is heard from it is passed over: this
    /// process was told already.
    pub(super) voice: AtomicU32,
    pub(super) closing: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            jobs_waiting: JobKind::ALL.iter().map(|kind| (*kind, Notify::new())).collect(),
            cancels: broadcast::Sender::new(CANCEL_BACKLOG),
            watchers: Mutex::default(),
            outbox: Mutex::default(),
            outbox_filled: Notify::new(),
            heard_at: Mutex::new(Instant::now()),
            voice: AtomicU32::new(0),
            closing: watch::Sender::new(false),
        }
    }

    pub(super) fn wake_watchers(&self, ids: impl IntoIterator<Item = Uuid>) {
        let watchers = lock(&self.watchers);
        for id in ids {
            for wake in watchers.get(&id).into_iter().flatten() {
                wake.notify_one();
            }
        }
    }

    pub(super) fn wake_claimer(&self, kind: JobKind) {
        if let Some(waiting) = self.jobs_waiting.get(&kind) {
            waiting.notify_one();
        }
    }

    pub(super) fn wake_everybody(&self) {
        JobKind::ALL.iter().for_each(|kind| self.wake_claimer(*kind));
        lock(&self.watchers).values().flatten().for_each(|wake| wake.notify_one());
    }
}

/// What this process has to tell the others.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) pushed: HashSet<JobKind>,
    pub(super) done: Vec<Uuid>,
    pub(super) cancel: Vec<Uuid>,
}

/// The data is whole after every critical section here, so a panic elsewhere does not spoil it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
