//! Wake-ups between processes: one notifier and one listener per process, over Postgres.
//!
//! Hints, never the record: whoever is woken reads the table, and losing every hint only makes
//! things slower. NOTIFY runs on a connection of its own, after the writer's commit, at most one at
//! a time, and carries everything that gathered meanwhile. What this process tells itself goes no
//! such way: it is there at once.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgListener};
use tokio::{
    sync::{Notify, broadcast, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::{store::StoreError, telemetry::chain};

const JOBS: &str = "apprun_jobs";
const DONE: &str = "apprun_done";
const CANCEL: &str = "apprun_cancel";
/// Says nothing; whoever hears it knows that it hears.
const ECHO: &str = "apprun_echo";

/// How long a process may hear nothing at all before it says something to hear whether it still
/// hears. All hear it, so one process does this for the others.
const ECHO_EVERY: Duration = Duration::from_secs(5);

/// Cancel requests that a slow receiver may fall behind before it misses some.
const CANCEL_BACKLOG: usize = 1024;

/// NOTIFY refuses payloads of 8,000 bytes and more; an id and its comma take 37.
const IDS_PER_NOTICE: usize = 200;

const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// A process's ear and voice. Dropping the last handle ends both.
#[derive(Debug, Clone)]
pub struct Signals {
    shared: Arc<Shared>,
    tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Shared {
    jobs_waiting: Notify,
    cancels: broadcast::Sender<Uuid>,
    watchers: Mutex<HashMap<Uuid, Vec<Arc<Notify>>>>,
    outbox: Mutex<Outbox>,
    outbox_filled: Notify,
    /// When anything was heard last.
    heard_at: Mutex<Instant>,
    /// The server's number of the connection that speaks: what it says was told at home already.
    voice: AtomicU32,
    closing: watch::Sender<bool>,
}

/// What this process has to tell the others.
#[derive(Debug, Default)]
struct Outbox {
    jobs_pushed: bool,
    done: Vec<Uuid>,
    cancel: Vec<Uuid>,
}

#[derive(Debug)]
struct Tasks(Mutex<Vec<JoinHandle<()>>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        lock(&self.0).iter().for_each(JoinHandle::abort);
    }
}

/// How long `close` waits for a server that does not answer.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);

impl Signals {
    /// Opens both connections. Later connection trouble is waited out; nothing is ever lost by it.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_echoing(url, ECHO_EVERY).await
    }

    /// The same, with another time between two echoes. An ear that misses two in a row is deaf,
    /// whatever its socket says, and is replaced.
    pub async fn connect_echoing(url: &str, echo_every: Duration) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            jobs_waiting: Notify::new(),
            cancels: broadcast::Sender::new(CANCEL_BACKLOG),
            watchers: Mutex::default(),
            outbox: Mutex::default(),
            outbox_filled: Notify::new(),
            heard_at: Mutex::new(Instant::now()),
            voice: AtomicU32::new(0),
            closing: watch::Sender::new(false),
        });
        let line = Line { url: url.to_owned(), echo_every, shared: shared.clone() };
        let (voice, ear) = (line.open_voice().await?, line.open_ear().await?);
        let tasks = vec![tokio::spawn(line.clone().speak(voice)), tokio::spawn(line.listen(ear))];
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

    /// Says that jobs were pushed. Call it after the commit.
    pub fn jobs_pushed(&self) {
        self.shared.jobs_waiting.notify_one();
        lock(&self.shared.outbox).jobs_pushed = true;
        self.shared.outbox_filled.notify_one();
    }

    /// Says that an execution or build has reached its final state. Call it after the commit.
    pub fn finished(&self, subject: Uuid) {
        wake_watchers(&self.shared, [subject].into_iter());
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
        Watch {
            subject,
            wake,
            shared: self.shared.clone(),
            next_look: FIRST_LOOK,
            was_hinted: false,
        }
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
    was_hinted: bool,
}

impl Watch {
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

/// The data is whole after every critical section here, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What both tasks need to open, and reopen, their connections.
#[derive(Debug, Clone)]
struct Line {
    url: String,
    echo_every: Duration,
    shared: Arc<Shared>,
}

impl Line {
    async fn open_voice(&self) -> Result<PgConnection, sqlx::Error> {
        let mut voice = PgConnection::connect(&self.url).await?;
        // A notice needs no flush to disk: it is a hint about rows that are already durable.
        sqlx::query("set synchronous_commit = off").execute(&mut voice).await?;
        let number: i32 =
            sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut voice).await?;
        self.shared.voice.store(number.unsigned_abs(), Relaxed);
        Ok(voice)
    }

    async fn open_ear(&self) -> Result<PgListener, sqlx::Error> {
        let mut ear = PgListener::connect(&self.url).await?;
        ear.listen_all([JOBS, DONE, CANCEL, ECHO]).await?;
        Ok(ear)
    }

    async fn speak(self, mut voice: PgConnection) {
        let mut closing = self.shared.closing.subscribe();
        let mut echoed_at = Instant::now();
        loop {
            let echo_at = self.echo_at(echoed_at);
            let is_closing = tokio::select! {
                () = self.shared.outbox_filled.notified() => false,
                () = tokio::time::sleep_until(echo_at) => false,
                // The sender lives as long as this task.
                _ = closing.wait_for(|is_closing| *is_closing) => true,
            };
            let outbox = mem::take(&mut *lock(&self.shared.outbox));
            let is_echo = !is_closing && self.echo_at(echoed_at) <= Instant::now();
            while let Err(error) = self.deliver(&mut voice, &outbox, is_echo).await {
                tracing::warn!(error = chain(&error), "failed to send wake-ups");
                tokio::time::sleep(RECONNECT_DELAY).await;
                if let Ok(Ok(fresh)) = timeout(self.patience(), self.open_voice()).await {
                    voice = fresh;
                }
            }
            if is_closing {
                // It ends with us anyway; the server's log is quieter so.
                let _ = voice.close().await;
                return;
            }
            if is_echo {
                echoed_at = Instant::now();
            }
        }
    }

    /// A little later in some processes than in others, so that one speaks and the rest hear it.
    fn echo_at(&self, echoed_at: Instant) -> Instant {
        let share = self.shared.voice.load(Relaxed) % 16;
        let heard_or_said = (*lock(&self.shared.heard_at)).max(echoed_at);
        heard_or_said + self.echo_every + self.echo_every * share / 64
    }

    /// Fails as well when the other end does not answer in time.
    async fn deliver(
        &self,
        voice: &mut PgConnection,
        outbox: &Outbox,
        is_echo: bool,
    ) -> Result<(), sqlx::Error> {
        let ids = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",");
        let mut notices: Vec<(String, String)> = Vec::new();
        if outbox.jobs_pushed {
            notices.push((JOBS.to_owned(), String::new()));
        }
        notices.extend(outbox.done.chunks(IDS_PER_NOTICE).map(|done| (DONE.to_owned(), ids(done))));
        notices.extend(
            outbox.cancel.chunks(IDS_PER_NOTICE).map(|cancel| (CANCEL.to_owned(), ids(cancel))),
        );
        if is_echo {
            notices.push((ECHO.to_owned(), String::new()));
        }
        let (channels, payloads): (Vec<_>, Vec<_>) = notices.into_iter().unzip();
        let speak = sqlx::query!(
            "select pg_notify(channel, payload) from unnest($1::text[], $2::text[]) as n (channel, payload)",
            &channels,
            &payloads,
        );
        timeout(self.patience(), speak.execute(voice))
            .await
            .map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))??;
        Ok(())
    }

    async fn listen(self, mut ear: PgListener) {
        let mut closing = self.shared.closing.subscribe();
        loop {
            let heard = tokio::select! {
                heard = timeout(self.patience(), ear.try_recv()) => heard,
                _ = closing.wait_for(|is_closing| *is_closing) => return,
            };
            match heard {
                Ok(Ok(Some(notice))) => {
                    *lock(&self.shared.heard_at) = Instant::now();
                    if notice.process_id() != self.shared.voice.load(Relaxed) {
                        self.hear(notice.channel(), notice.payload());
                    }
                }
                // The connection broke and hints may be lost: everybody looks for themselves.
                Ok(Ok(None)) => wake_everybody(&self.shared),
                Ok(Err(error)) => {
                    tracing::warn!(error = chain(&error), "failed to listen for wake-ups");
                    tokio::time::sleep(RECONNECT_DELAY).await;
                    wake_everybody(&self.shared);
                }
                // Not even an echo: the socket is half open, and only we do not know it yet.
                Err(_) => {
                    wake_everybody(&self.shared);
                    match timeout(self.patience(), self.open_ear()).await {
                        Ok(Ok(fresh)) => ear = fresh,
                        _ => tracing::warn!("failed to listen for wake-ups: no answer"),
                    }
                }
            }
        }
    }

    fn hear(&self, channel: &str, payload: &str) {
        let ids = payload.split(',').filter_map(|text| Uuid::try_parse(text).ok());
        match channel {
            JOBS => self.shared.jobs_waiting.notify_one(),
            DONE => wake_watchers(&self.shared, ids),
            // Nobody may want to know, which is no error.
            CANCEL => ids.for_each(|id| drop(self.shared.cancels.send(id))),
            _ => {}
        }
    }

    fn patience(&self) -> Duration {
        self.echo_every * 5 / 2
    }
}

fn wake_watchers(shared: &Shared, ids: impl Iterator<Item = Uuid>) {
    let watchers = lock(&shared.watchers);
    for id in ids {
        for wake in watchers.get(&id).into_iter().flatten() {
            wake.notify_one();
        }
    }
}

fn wake_everybody(shared: &Shared) {
    shared.jobs_waiting.notify_one();
    lock(&shared.watchers).values().flatten().for_each(|wake| wake.notify_one());
}
