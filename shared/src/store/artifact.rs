//! Which binaries are still referred to, and the end of those that are not.

use std::time::Duration;

use super::{
    Db, StoreError,
    db::sha256,
    lock::{self, SessionLock},
};

/// Artifacts that one statement forgets.
const BATCH: i64 = 500;

/// Forgets the artifacts that no version refers to and that nobody built or found for `grace`.
/// Some at a time; returns how many, and the hashes of binaries to which nothing refers any more.
pub async fn forget_unreferenced(db: &Db, grace: Duration) -> Result<Vec<[u8; 32]>, StoreError> {
    let mut tx = db.begin().await?;
    let mut forgotten = sqlx::query_scalar!(
        "delete from artifact a
         where a.key in (
             select o.key from artifact o
             where o.used_at < now() - make_interval(secs => $1)
               and not exists (select from function_version v where v.artifact_key = o.key)
             limit $2)
           and not exists (select from function_version v where v.artifact_key = a.key)
         returning a.sha256",
        grace.as_secs_f64(),
        BATCH,
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
    forgotten.into_iter().map(sha256).collect()
}

/// Waits until nobody builds this key, so that the same one is built once however many ask for it.
pub async fn lock_key(db: &Db, key: [u8; 32]) -> Result<SessionLock, StoreError> {
    let mut number = [0; 8];
    number.copy_from_slice(&key[..8]);
    lock::lock(db, i64::from_be_bytes(number)).await
}
