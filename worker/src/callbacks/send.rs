//! Takes messages that are due, sends them a few at a time, and records what came of each.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shared::{
    domain::{Reach, RetryPolicy},
    seal::SecretKeys,
    store::{
        Db, StoreError,
        callback::{self, Attempted, DueCallback, Then},
    },
    telemetry::chain,
};
use time::OffsetDateTime;
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{client::HookClient, message};

/// Requests under way at once; slow receivers hold up no more than these.
const MAX_AT_ONCE: usize = 32;

/// How often a worker looks for messages that nobody rang for: those of other workers that are gone,
/// and those to be tried again.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Ten attempts over most of a day.
const RETRIES: RetryPolicy = RetryPolicy {
    max_retries: 9,
    initial_delay: Duration::from_secs(5),
    max_delay: Duration::from_secs(6 * 60 * 60),
    backoff_factor: 4.0,
};

/// The receiver is gone and wants nothing more (RFC 9110, 15.5.11).
const GONE: u16 = 410;

/// Sends the callbacks of all projects.
#[derive(Debug, Clone)]
pub struct Callbacks {
    db: Db,
    client: HookClient,
    worker: String,
    due: Arc<Notify>,
    keys: Option<SecretKeys>,
}

impl Callbacks {
    /// `worker` names the sender for people; `due` is rung when something became due; `keys` open the
    /// secrets that messages are signed with.
    pub fn new(
        db: Db,
        reach: Reach,
        worker: String,
        due: Arc<Notify>,
        keys: Option<SecretKeys>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self { db, client: HookClient::new(reach)?, worker, due, keys })
    }

    /// Sends until told to stop. What is under way then is cut off, and sent again when its attempt
    /// counts as lost.
    pub async fn send_until(self, stop: CancellationToken) {
        let mut under_way = JoinSet::new();
        while !stop.is_cancelled() {
            if let Err(error) = self.begin_due(&mut under_way).await {
                tracing::warn!(error = chain(&error), "no callbacks claimed");
            }
            let is_full = under_way.len() == MAX_AT_ONCE;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.due.notified(), if !is_full => {}
                Some(_) = under_way.join_next() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn begin_due(&self, under_way: &mut JoinSet<()>) -> Result<(), StoreError> {
        let room = MAX_AT_ONCE - under_way.len();
        if room == 0 {
            return Ok(());
        }
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        for due in callback::claim(&self.db, room, self.keys.as_ref()).await? {
            under_way.spawn(self.clone().deliver(due));
        }
        Ok(())
    }

    async fn deliver(self, due: DueCallback) {
        let (at, began) = (OffsetDateTime::now_utc(), Instant::now());
        let answer = self.send(&due, at).await;
        let then = match &answer {
            Ok(answer) => after(due.attempt, answer.status, answer.retry_after, rand::random()),
            Err(Unsent::NoAnswer(_)) => again(due.attempt, None, rand::random()),
            Err(Unsent::Impossible(_)) => Then::GivenUp,
        };
        let answer = answer.map(|answer| answer.status).map_err(|unsent| match unsent {
            Unsent::NoAnswer(why) => why,
            Unsent::Impossible(why) => why.to_owned(),
        });
        let attempted = Attempted { at, took: began.elapsed(), answer, then };
        match callback::record(&self.db, &due, &self.worker, &attempted).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(execution = %due.execution, "a callback took too long"),
            // It counts as lost then, and is made again.
            Err(error) => {
                tracing::warn!(execution = %due.execution, error = chain(&error), "a callback was not recorded");
            }
        }
    }

    async fn send(
        &self,
        due: &DueCallback,
        at: OffsetDateTime,
    ) -> Result<super::client::Answer, Unsent> {
        let ended = due.ended.as_ref();
        let ended = ended.ok_or(Unsent::Impossible("the execution is no longer kept"))?;
        if due.secrets.is_empty() {
            return Err(Unsent::Impossible("the project has no secret to sign with"));
        }
        let body = message::body(due.execution, ended)
            .map_err(|_| Unsent::Impossible("the outcome cannot be told as JSON"))?;
        let headers = message::headers(due.execution, at, &body, &due.secrets);
        self.client.post(&due.url, headers, body).await.map_err(Unsent::NoAnswer)
    }
}

/// Why there is no answer.
enum Unsent {
    /// Another attempt may get one.
    NoAnswer(String),
    /// There is nothing to send.
    Impossible(&'static str),
}

/// What follows an answer.
fn after(attempt: i32, status: u16, retry_after: Option<Duration>, jitter: f64) -> Then {
    match status {
        200..=299 => Then::Delivered,
        GONE => Then::GivenUp,
        _ => again(attempt, retry_after, jitter),
    }
}

fn again(attempt: i32, retry_after: Option<Duration>, jitter: f64) -> Then {
    let attempt = u16::try_from(attempt).unwrap_or(u16::MAX);
    match RETRIES.delay_after(attempt, jitter) {
        Some(delay) => Then::Again(delay.max(retry_after.unwrap_or_default())),
        None => Then::GivenUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_answer() {
        let seconds = |seconds| Then::Again(Duration::from_secs(seconds));
        let cases = [
            ((1, 200, None), Then::Delivered),
            ((1, 204, None), Then::Delivered),
            ((10, 200, None), Then::Delivered),
            ((1, 410, None), Then::GivenUp),
            ((1, 301, None), seconds(5)),
            ((1, 404, None), seconds(5)),
            ((2, 500, None), seconds(20)),
            ((9, 500, None), seconds(6 * 60 * 60)),
            ((10, 500, None), Then::GivenUp),
            ((1, 429, Some(60)), seconds(60)),
            ((1, 503, Some(1)), seconds(5)),
        ];
        for ((attempt, status, retry_after), expected) in cases {
            let retry_after = retry_after.map(Duration::from_secs);
            assert_eq!(after(attempt, status, retry_after, 0.0), expected, "{attempt} {status}");
        }
    }
}
