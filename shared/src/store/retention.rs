//! Bounded growth: what is older than its days goes, a few rows at a time, so that nobody waits for it
//! and a stop in the middle leaves nothing half done. Executions and their logs lie in one partition a
//! day, and whole days are dropped where nothing in them is needed any more.

use std::time::Duration;

use sqlx::{Postgres, postgres::PgArguments, query::Query};

use super::{
    Db, StoreError,
    lock::{self, SessionLock},
};
use crate::{config::Retention, domain::text_enum::text_enum};

/// Rows that one statement removes.
const BATCH: i64 = 1000;
/// Statements in one round; the next round goes on.
const MAX_BATCHES: u32 = 500;
/// Between two statements: others want the disk too.
const PAUSE: Duration = Duration::from_millis(20);
/// Any fixed number: whoever cleans holds this advisory lock.
const CLEANING: i64 = 0x6170_7072_756e_0001;

text_enum!(
    /// What is kept for a number of days, in the order in which it is cleaned: a dead letter whose time is
    /// over goes with the other executions of its day.
    Kind {
        DeadLetters = "dead_letters",
        Executions = "executions",
        Logs = "logs",
        Builds = "builds",
        Audit = "audit",
        Deliveries = "deliveries",
        IdempotencyKeys = "idempotency_keys",
        Sessions = "sessions",
    }
);

impl Kind {
    fn days(self, keep: &Retention) -> i32 {
        let days = match self {
            Self::DeadLetters => keep.dead_letters,
            Self::Executions => keep.executions,
            Self::Logs => keep.logs,
            Self::Builds => keep.builds,
            Self::Audit => keep.audit,
            Self::Deliveries => keep.deliveries,
            Self::IdempotencyKeys => keep.idempotency_keys,
            // One that expired can do nothing; the day is for whoever looks into a theft.
            Self::Sessions => 1,
        };
        i32::try_from(days).unwrap_or(i32::MAX)
    }
}

/// What a round removed of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Row by row; of dead letters, those taken off the list.
    pub rows: u64,
    /// Whole days, with all their rows.
    pub days: u64,
}

/// The right to clean, which one process has at a time; None when that is another one.
pub async fn begin(db: &Db) -> Result<Option<SessionLock>, StoreError> {
    lock::try_lock(db, CLEANING).await
}

/// Makes the partitions of the coming days.
pub async fn make_partitions(db: &Db) -> Result<(), StoreError> {
    sqlx::query!("select make_partitions()").execute(db.autocommit()).await?;
    Ok(())
}

/// Removes what is older than its days, of all tenants. To be called again when it fails or is stopped.
pub async fn remove(db: &Db, kind: Kind, keep: &Retention) -> Result<Removed, StoreError> {
    let days = kind.days(keep);
    let mut removed = Removed { rows: 0, days: drop_days(db, kind, days).await? };
    for _ in 0..MAX_BATCHES {
        let rows = removal(kind, days).execute(db.autocommit()).await?.rows_affected();
        removed.rows += rows;
        if rows < BATCH.unsigned_abs() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(removed)
}

async fn drop_days(db: &Db, kind: Kind, days: i32) -> Result<u64, StoreError> {
    let parent = match kind {
        Kind::Executions => "execution",
        Kind::Logs => "execution_log",
        _ => return Ok(0),
    };
    let mut dropped = 0;
    while sqlx::query_scalar!(r#"select drop_old_day($1, $2) as "dropped!""#, parent, days)
        .fetch_one(db.autocommit())
        .await?
    {
        dropped += 1;
    }
    Ok(dropped)
}

/// Gives `removal`, the statement that removes the oldest rows of a kind: `$1` is for how many days they
/// are kept, `$2` how many may go at once.
macro_rules! removals {
    ($($kind:ident => $sql:tt,)+) => {
        fn removal(kind: Kind, days: i32) -> Query<'static, Postgres, PgArguments> {
            match kind {
                $(Kind::$kind => sqlx::query!($sql, days, BATCH),)+
            }
        }
    };
}

removals! {
    // Only the mark goes: they stay in the history for as long as any failed execution.
    DeadLetters =>
        "update execution set dead_letter = false
         where dead_letter and id in (
             select id from execution
             where dead_letter and completed_at < now() - make_interval(days => $1)
             limit $2)",
    // Those of days that could not be dropped, because something in them is needed, or because they had no
    // partition. Days count from their beginning, as for partitions.
    Executions =>
        "delete from execution where id in (
             select e.id from execution e
             where e.id < uuid_at(date_trunc('day', now(), 'UTC') - make_interval(days => $1))
               and not e.dead_letter
               and not exists (select from q.job j where j.subject_id = e.id)
               and not exists (select from q.later l where l.subject_id = e.id)
             order by e.id
             limit $2)",
    Logs =>
        "delete from execution_log where (execution_id, attempt, seq) in (
             select execution_id, attempt, seq from execution_log
             where execution_id < uuid_at(date_trunc('day', now(), 'UTC') - make_interval(days => $1))
             order by execution_id
             limit $2)",
    // A version that was given up needs none, unless another shares it.
    Builds =>
        "delete from build where id in (
             select b.id from build b
             where b.completed_at < now() - make_interval(days => $1)
               and not exists (select from function_version v
                               where v.id = b.version_id and v.removed_at is null)
               and not exists (select from function_version v
                               where v.built_as = b.version_id and v.removed_at is null)
             limit $2)",
    Audit =>
        "delete from audit where id in (
             select id from audit where at < now() - make_interval(days => $1) order by at limit $2)",
    // With their attempts. One that is still to be sent stays.
    Deliveries =>
        "delete from callback where execution_id in (
             select execution_id from callback
             where created_at < now() - make_interval(days => $1) and due_at is null
             order by created_at
             limit $2)",
    IdempotencyKeys =>
        "delete from idempotency_key where (tenant_id, user_id, key) in (
             select tenant_id, user_id, key from idempotency_key
             where created_at < now() - make_interval(days => $1)
             order by created_at
             limit $2)",
    Sessions =>
        "delete from session where id in (
             select id from session where expires_at < now() - make_interval(days => $1)
             order by expires_at
             limit $2)",
}
