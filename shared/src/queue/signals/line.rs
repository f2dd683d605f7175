//! The connections of a process: its voice, which says what has gathered, and its ear, which hears what
//! all others say. Either is opened again when it breaks or falls silent.

use std::{
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgListener};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::state::{Outbox, Shared, lock};
use crate::{queue::JobKind, telemetry::chain};

const JOBS: &str = "apprun_jobs";
const DONE: &str = "apprun_done";
const CANCEL: &str = "apprun_cancel";
/// Says nothing; whoever hears it knows that it hears.
const ECHO: &str = "apprun_echo";

/// NOTIFY refuses payloads of 8,000 bytes and more; an id and its comma take 37.
const IDS_PER_NOTICE: usize = 200;

const RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// What both tasks need to open, and reopen, their connections.
#[derive(Debug, Clone)]
pub(super) struct Line {
    url: String,
    echo_every: Duration,
    shared: Arc<Shared>,
}

impl Line {
    pub(super) fn new(url: &str, echo_every: Duration, shared: Arc<Shared>) -> Self {
        Self { url: url.to_owned(), echo_every, shared }
    }

    /// Opens both connections, and speaks and listens until the tasks are told to close.
    pub(super) async fn start(self) -> Result<Vec<JoinHandle<()>>, sqlx::Error> {
        let (voice, ear) = (self.open_voice().await?, self.open_ear().await?);
        Ok(vec![tokio::spawn(self.clone().speak(voice)), tokio::spawn(self.listen(ear))])
    }

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
        if !outbox.pushed.is_empty() {
            let kinds: Vec<_> = outbox.pushed.iter().map(|kind| kind.as_str()).collect();
            notices.push((JOBS.to_owned(), kinds.join(",")));
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
                Ok(Ok(None)) => self.shared.wake_everybody(),
                Ok(Err(error)) => {
                    tracing::warn!(error = chain(&error), "failed to listen for wake-ups");
                    tokio::time::sleep(RECONNECT_DELAY).await;
                    self.shared.wake_everybody();
                }
                // Not even an echo: the socket is half open, and only we do not know it yet.
                Err(_) => {
                    self.shared.wake_everybody();
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
            // From a process of an older version, which does not say what it pushed.
            JOBS if payload.is_empty() => {
                JobKind::ALL.iter().for_each(|kind| self.shared.wake_claimer(*kind));
            }
            JOBS => payload
                .split(',')
                .filter_map(|kind| kind.parse().ok())
                .for_each(|kind| self.shared.wake_claimer(kind)),
            DONE => self.shared.wake_watchers(ids),
            // Nobody may want to know, which is no error.
            CANCEL => ids.for_each(|id| drop(self.shared.cancels.send(id))),
            _ => {}
        }
    }

    fn patience(&self) -> Duration {
        self.echo_every * 5 / 2
    }
}
