//! Wake-ups between processes: one notifier and one listener per process, over Postgres.
//!
//! Hints, never the record: whoever is woken reads the table, and losing every hint only makes
//! things slower. NOTIFY runs on a connection of its own, after the writer's commit, at most one at
//! a time, and carries everything that gathered meanwhile.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgListener};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use uuid::Uuid;

use crate::store::StoreError;

const JOBS: &str = "apprun_jobs";
const DONE: &str = "apprun_done";

/// NOTIFY refuses payloads of 8,000 bytes and more; an id and its comma take 37.
const IDS_PER_NOTICE: usize = 200;

const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// A process's ear and voice. Dropping the last handle ends both.
#[derive(Debug, Clone)]
pub struct Signals {
    shared: Arc<Shared>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug, Default)]
struct Shared {
    jobs_waiting: Notify,
    watchers: Mutex<HashMap<Uuid, Vec<Arc<Notify>>>>,
    outbox: Mutex<Outbox>,
    outbox_filled: Notify,
}

/// What this process has to tell the others.
#[derive(Debug, Default)]
struct Outbox {
    jobs_pushed: bool,
    done: Vec<Uuid>,
}

#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Signals {
    /// Opens both connections. Later connection trouble is waited out; nothing is ever lost by it.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let voice = open_voice(url).await?;
        let mut ear = PgListener::connect(url).await?;
        ear.listen_all([JOBS, DONE]).await?;
        let tasks = vec![
            tokio::spawn(speak(voice, url.to_owned(), shared.clone())),
            tokio::spawn(listen(ear, shared.clone())),
        ];
        Ok(Self { shared, _tasks: Arc::new(Tasks(tasks)) })
    }

    /// Says that jobs were pushed. Call it after the commit.
    pub fn jobs_pushed(&self) {
        lock(&self.shared.outbox).jobs_pushed = true;
        self.shared.outbox_filled.notify_one();
    }

    /// Says that an execution or build has reached its final state. Call it after the commit.
    pub fn finished(&self, subject: Uuid) {
        lock(&self.shared.outbox).done.push(subject);
        self.shared.outbox_filled.notify_one();
    }

    /// Returns when somebody pushed jobs. For one waiter per process, the claimer.
    pub async fn jobs_waiting(&self) {
        self.shared.jobs_waiting.notified().await;
    }

    /// Watches for the end of an execution or build. Register before the commit that lets it start,
    /// or the hint may come too early.
    pub fn watch(&self, subject: Uuid) -> Watch {
        // One each, so that a hint is kept for a watcher that is not waiting at this moment.
        let wake = Arc::new(Notify::new());
        lock(&self.shared.watchers).entry(subject).or_default().push(wake.clone());
        Watch { subject, wake, shared: self.shared.clone(), next_look: FIRST_LOOK }
    }
}

const FIRST_LOOK: Duration = Duration::from_millis(100);
const SLOWEST_LOOK: Duration = Duration::from_secs(1);

/// Somebody waiting for one row to become final.
#[derive(Debug)]
pub struct Watch {
    subject: Uuid,
    wake: Arc<Notify>,
    shared: Arc<Shared>,
    next_look: Duration,
}

impl Watch {
    /// Returns true when it is time to read the row: after a hint, or after a while without one
    /// (100 ms, then doubling to 1 s). Returns false at the deadline.
    pub async fn changed(&mut self, deadline: Instant) -> bool {
        let look_at = Instant::now() + self.next_look;
        self.next_look = (self.next_look * 2).min(SLOWEST_LOOK);
        tokio::select! {
            () = self.wake.notified() => true,
            () = tokio::time::sleep_until(look_at.min(deadline)) => look_at < deadline,
        }
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

/// The data is whole after every critical section here, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn open_voice(url: &str) -> Result<PgConnection, StoreError> {
    let mut voice = PgConnection::connect(url).await?;
    // A notice needs no flush to disk: it is a hint about rows that are already durable.
    sqlx::query("set synchronous_commit = off").execute(&mut voice).await?;
    Ok(voice)
}

async fn speak(mut voice: PgConnection, url: String, shared: Arc<Shared>) {
    loop {
        shared.outbox_filled.notified().await;
        let outbox = mem::take(&mut *lock(&shared.outbox));
        while let Err(error) = deliver(&mut voice, &outbox).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to send wake-ups");
            tokio::time::sleep(RECONNECT_DELAY).await;
            if let Ok(fresh) = open_voice(&url).await {
                voice = fresh;
            }
        }
    }
}

async fn deliver(voice: &mut PgConnection, outbox: &Outbox) -> Result<(), sqlx::Error> {
    if outbox.jobs_pushed {
        sqlx::query!("select pg_notify($1, '')", JOBS).execute(&mut *voice).await?;
    }
    for ids in outbox.done.chunks(IDS_PER_NOTICE) {
        let payload = ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
        sqlx::query!("select pg_notify($1, $2)", DONE, payload).execute(&mut *voice).await?;
    }
    Ok(())
}

async fn listen(mut ear: PgListener, shared: Arc<Shared>) {
    loop {
        match ear.try_recv().await {
            Ok(Some(notice)) if notice.channel() == JOBS => shared.jobs_waiting.notify_one(),
            Ok(Some(notice)) => wake_watchers(&shared, notice.payload()),
            // The connection broke and hints may be lost: everybody looks for themselves.
            Ok(None) => wake_everybody(&shared),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "failed to listen for wake-ups"
                );
                tokio::time::sleep(RECONNECT_DELAY).await;
                wake_everybody(&shared);
            }
        }
    }
}

fn wake_watchers(shared: &Shared, payload: &str) {
    let watchers = lock(&shared.watchers);
    for id in payload.split(',').filter_map(|text| Uuid::try_parse(text).ok()) {
        for wake in watchers.get(&id).into_iter().flatten() {
            wake.notify_one();
        }
    }
}

fn wake_everybody(shared: &Shared) {
    shared.jobs_waiting.notify_one();
    lock(&shared.watchers).values().flatten().for_each(|wake| wake.notify_one());
}
