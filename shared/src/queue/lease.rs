//! Leases: a worker process's time-limited right to the jobs it claimed, by the database's clock.

use std::time::Duration;

use uuid::Uuid;

use super::tally;
use crate::{
    domain::WorkerIdentity,
    store::{Db, StoreError},
};

/// One life of a worker process. Never used again: a worker that lost its lease takes a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseId(pub i64);

/// How long a lease lives after a beat. Four beats fit in, so that a slow database does not make a
/// healthy worker look dead; a dead one is replaced well within ten seconds.
pub const LEASE_TIME: Duration = Duration::from_secs(4);

/// What a beat tells besides that the worker lives: all that idle workers need to know, in the one
/// statement a second that they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// False: the lease had expired; what runs under it must end and its results be dropped.
    pub alive: bool,
    /// A worker is gone and its jobs wait to be returned.
    pub leases_expired: bool,
    /// Deferred jobs have become due.
    pub jobs_due: bool,
    /// Jobs are waiting: the safety net for lost wake-ups.
    pub jobs_ready: bool,
    /// What this worker runs and somebody wants to end: the safety net for `cancel_requested`.
    pub cancelled: Vec<Uuid>,
}

/// Starts a new life.
pub async fn open_lease(db: &Db, worker: &WorkerIdentity) -> Result<LeaseId, StoreError> {
    let id = sqlx::query_scalar!(
        "insert into q.lease (worker, degraded, expires_at)
         values ($1, $2, now() + make_interval(secs => $3)) returning id",
        worker.name,
        &worker.degraded,
        LEASE_TIME.as_secs_f64(),
    )
    .fetch_one(db.autocommit())
    .await?;
    Ok(LeaseId(id))
}

/// Extends the lease if it still lives, notes what this process did, and looks around.
pub async fn beat(db: &Db, lease: LeaseId) -> Result<Beat, StoreError> {
    let row = sqlx::query_as!(
        Beat,
        r#"with beat as (
             update q.lease set expires_at = now() + make_interval(secs => $2), counts = $3
             where id = $1 and expires_at > now()
             returning id
         )
         select exists (select 1 from beat) as "alive!",
                exists (select 1 from q.lease where expires_at <= now()) as "leases_expired!",
                exists (select 1 from q.later where due_at <= now()) as "jobs_due!",
                exists (select 1 from q.job where lease_id is null) as "jobs_ready!",
                array(select subject_id from q.job where lease_id = $1 and cancel_requested) as "cancelled!""#,
        lease.0,
        LEASE_TIME.as_secs_f64(),
        tally::noted(),
    )
    .fetch_one(db.autocommit())
    .await?;
    Ok(row)
}

/// How many workers live at this moment.
pub async fn live_workers(db: &Db) -> Result<u64, StoreError> {
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from q.lease where expires_at > now()"#)
            .fetch_one(db.autocommit())
            .await?;
    Ok(count.unsigned_abs())
}

/// Ends a life in order: what it still holds is ready again at once, and no redelivery is counted.
pub async fn release_lease(db: &Db, lease: LeaseId) -> Result<u64, StoreError> {
    let mut tx = db.begin().await?;
    // First the lease: this waits for a claim that is being made under it, whose jobs the second
    // statement then sees.
    sqlx::query!("delete from q.lease where id = $1", lease.0).execute(&mut *tx).await?;
    let returned = sqlx::query!(
        "update q.job set lease_id = null, token = null, claimed_at = null where lease_id = $1",
        lease.0
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(returned)
}

/// The layers of isolation that at least one living worker does without, by name and in order.
pub async fn degraded_layers(db: &Db) -> Result<Vec<String>, StoreError> {
    let layers = sqlx::query_scalar!(
        r#"select distinct layer as "layer!" from q.lease, unnest(degraded) as layer
           where expires_at > now() order by 1"#
    )
    .fetch_all(db.autocommit())
    .await?;
    Ok(layers)
}
