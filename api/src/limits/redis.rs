//! Counting across processes, in Redis. Redis is a help and never a need: an answer that does not
//! come soon counts as none, and it is asked again only after a pause.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{Client, RedisError, aio::MultiplexedConnection};
use shared::{config::Secret, telemetry::chain};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout},
};

use super::limiter::Key;

/// What takes longer, to connect or to count, is worse than a count of one's own. Far more than Redis
/// ever needs, so that a busy machine does not look like an absent Redis.
const PATIENCE: Duration = Duration::from_millis(250);
/// Between two attempts while it is away: one request a second waits for nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// Longer than a minute, so that no count ends within its own.
const COUNT_LIFETIME_SECONDS: i64 = 90;

/// The counts of all processes.
pub(super) struct RedisCounts {
    client: Client,
    link: Mutex<Link>,
    /// The first requests wait for the first connection together, so that none is counted apart.
    first: OnceCell<()>,
}

enum Link {
    Up(MultiplexedConnection),
    Down { next_try: Instant },
}

/// Why no count came.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("failed to reach Redis")]
    Redis(#[from] RedisError),
    #[error("failed to get an answer from Redis in time")]
    Late(#[from] tokio::time::error::Elapsed),
}

impl RedisCounts {
    /// Does not connect yet. None when the address is none.
    pub(super) fn new(url: &Secret) -> Option<Self> {
        let client = Client::open(url.expose()).ok()?;
        Some(Self {
            client,
            link: Mutex::new(Link::Down { next_try: Instant::now() }),
            first: OnceCell::new(),
        })
    }

    /// Counts one request over all processes; None while Redis is away.
    pub(super) async fn add(&self, key: &Key, minute: u64) -> Option<u32> {
        let connect = async || {
            self.count("apprun:rate:hello").await;
        };
        self.first.get_or_init(connect).await;
        self.count(&format!("apprun:rate:{minute}:{key}")).await
    }

    async fn count(&self, key: &str) -> Option<u32> {
        let connection = self.connection()?;
        let was_down = connection.is_none();
        match self.ask(connection, key).await {
            Ok((connection, count)) => {
                if was_down {
                    tracing::info!("rate limits are counted in Redis");
                    self.set(Link::Up(connection));
                }
                Some(count)
            }
            Err(trouble) => {
                tracing::warn!(
                    error = chain(&trouble),
                    "Redis is away; each process counts rate limits by itself"
                );
                self.set(Link::Down { next_try: Instant::now() + PAUSE });
                None
            }
        }
    }

    /// The open connection, or `Some(None)` for whoever is to try and open one. None: not yet.
    fn connection(&self) -> Option<Option<MultiplexedConnection>> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        match &*link {
            Link::Up(connection) => Some(Some(connection.clone())),
            Link::Down { next_try } if *next_try <= Instant::now() => {
                *link = Link::Down { next_try: Instant::now() + PAUSE };
                Some(None)
            }
            Link::Down { .. } => None,
        }
    }

    async fn ask(
        &self,
        connection: Option<MultiplexedConnection>,
        key: &str,
    ) -> Result<(MultiplexedConnection, u32), Trouble> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => {
                let connecting = self.client.get_multiplexed_async_connection();
                timeout(PATIENCE, connecting).await??
            }
        };
        let mut pipe = redis::pipe();
        pipe.atomic().incr(key, 1).expire(key, COUNT_LIFETIME_SECONDS).ignore();
        let (count,): (u32,) = timeout(PATIENCE, pipe.query_async(&mut connection)).await??;
        Ok((connection, count))
    }

    fn set(&self, to: Link) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

impl std::fmt::Debug for RedisCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisCounts(…)")
    }
}
