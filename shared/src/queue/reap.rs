//! Reap: jobs of workers that are gone become ready again, or dead when that happened too often;
//! deferred jobs that are due become ready.

use uuid::Uuid;

use super::{
    counters::{Event, counters},
    job::{Class, JobKind},
    settle::MAX_REDELIVERIES,
};
use crate::store::{Db, StoreError, Tx};

/// A job that was taken from dead workers too often. Its row is gone; the caller records the
/// failure of its subject in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadJob {
    /// What was to be done.
    pub kind: JobKind,
    /// The execution or build.
    pub subject: Uuid,
}

/// What a reap did.
#[derive(Debug, Default)]
pub struct Reaped {
    /// Expired leases removed.
    pub leases: u64,
    /// Jobs that are ready again.
    pub returned: u64,
    /// Jobs given up.
    pub dead: Vec<DeadJob>,
}

/// Returns the jobs of expired leases. Locking the lease rows is the single-winner step: of several
/// workers that reap at once, each lease falls to one.
pub async fn reap(tx: &mut Tx) -> Result<Reaped, StoreError> {
    let expired = sqlx::query_scalar!(
        "select id from q.lease where expires_at <= now() for update skip locked"
    )
    .fetch_all(&mut **tx)
    .await?;
    if expired.is_empty() {
        return Ok(Reaped::default());
    }
    let dead = sqlx::query!(
        "delete from q.job where lease_id = any($1) and redeliveries >= $2 and not cancel_requested
         returning kind, subject_id, class",
        &expired,
        MAX_REDELIVERIES,
    )
    .fetch_all(&mut **tx)
    .await?;
    // A job whose end was asked for comes back too, to be settled as cancelled.
    let returned = sqlx::query_scalar!(
        "update q.job
         set lease_id = null, token = null, claimed_at = null, redeliveries = redeliveries + 1
         where lease_id = any($1)
         returning class",
        &expired,
    )
    .fetch_all(&mut **tx)
    .await?;
    sqlx::query!("delete from q.lease where id = any($1)", &expired).execute(&mut **tx).await?;
    count(Event::Reaped, returned.iter().copied());
    count(Event::Dead, dead.iter().map(|row| row.class));
    let dead = dead
        .into_iter()
        .map(|row| {
            Ok(DeadJob {
                kind: row.kind.parse().map_err(StoreError::unreadable)?,
                subject: row.subject_id,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(Reaped { leases: expired.len() as u64, returned: returned.len() as u64, dead })
}

fn count(event: Event, classes: impl Iterator<Item = i16>) {
    for class in classes.filter_map(Class::numbered) {
        counters().add(class, event, 1);
    }
}

/// Moves jobs that have become due to the end of the live line; returns how many. Bounded per call.
pub async fn promote_due(db: &Db) -> Result<u64, StoreError> {
    let moved = sqlx::query!(
        "with due as (
             delete from q.later where subject_id in (
                 select subject_id from q.later where due_at <= now()
                 order by due_at limit 1000 for update skip locked
             )
             returning *
         )
         insert into q.job (kind, subject_id, class, tenant_id, function_id, request_id, attempt,
                            redeliveries, cancel_requested, enqueued_at)
         select kind, subject_id, class, tenant_id, function_id, request_id, attempt,
                redeliveries, cancel_requested, greatest(enqueued_at, due_at)
         from due
         order by due_at"
    )
    .execute(db.autocommit())
    .await?
    .rows_affected();
    Ok(moved)
}
