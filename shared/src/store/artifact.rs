//! Which binaries are still referred to, and the end of those that are not.

use std::time::Duration;

use sqlx::{Postgres, pool::PoolConnection};
use tokio::task::JoinHandle;

use super::{Db, StoreError};

/// Forgets the artifacts that no version refers to and that nobody built or found for `grace`.
/// Returns the hashes of binaries to which nothing refers any more.
pub async fn forget_unreferenced(db: &Db, grace: Duration) -> Result<Vec<[u8; 32]>, StoreError> {
    let mut tx = db.begin().await?;
    let mut forgotten = sqlx::query_scalar!(
        "delete from artifact a
         where a.used_at < now() - make_interval(secs => $1)
           and not exists (select from function_version v where v.artifact_key = a.key)
         returning a.sha256",
        grace.as_secs_f64(),
    )
    .fetch_all(&mut *tx)
    .await?;
    // Two sources can come to the same binary: another artifact may still need it.
    let needed = sqlx::query_scalar!(
        "select distinct sha256 from artifact where sha256 = any ($1)",
        &forgotten,
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    forgotten.retain(|sha256| !needed.contains(sha256));
    forgotten.sort_unstable();
    forgotten.dedup();
    let hash = |bytes: Vec<u8>| {
        bytes.try_into().map_err(|_| StoreError::unreadable("an artifact's sha256 is not 32 bytes"))
    };
    forgotten.into_iter().map(hash).collect()
}

/// Held while an artifact is built, so that the same one is built once however many ask for it.
#[derive(Debug)]
pub struct KeyLock {
    held: JoinHandle<()>,
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        self.held.abort();
    }
}

/// Waits until nobody builds this key. The lock is the database session's: it ends with the value, with
/// the worker, and with the connection, whichever is first.
pub async fn lock_key(db: &Db, key: [u8; 32]) -> Result<KeyLock, StoreError> {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let mut connection = db.pool().acquire().await?;
    connection.close_on_drop();
    // A machine that is gone closes nothing: the server ends a session that says nothing any more.
    sqlx::query!("set idle_session_timeout = '5s'").execute(&mut *connection).await?;
    let mut number = [0; 8];
    number.copy_from_slice(&key[..8]);
    loop {
        let locked = sqlx::query_scalar!(
            r#"select pg_try_advisory_lock($1) as "locked!""#,
            i64::from_be_bytes(number)
        )
        .fetch_one(&mut *connection)
        .await?;
        if locked {
            return Ok(KeyLock { held: tokio::spawn(hold(connection)) });
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Keeps a session alive; when that fails its lock is gone, and at worst somebody builds the same.
async fn hold(mut connection: PoolConnection<Postgres>) {
    const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(1);
    loop {
        tokio::time::sleep(SIGN_OF_LIFE_EVERY).await;
        if sqlx::query!("select 1 as one").fetch_one(&mut *connection).await.is_err() {
            return;
        }
    }
}
