//! What all running workers together did with the queue: each writes its own numbers into its lease as
//! it beats, and whoever is curious adds them up. They end with their worker; metrics keep history.

use std::time::Duration;

use serde::Serialize;

use super::{
    counters::{ClassCounts, counts},
    job::Class,
};
use crate::store::{Db, StoreError};

/// One class's numbers since the workers started that run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Of which class.
    pub class: Class,
    /// Jobs claimed.
    pub claimed: u64,
    /// From being ready to being claimed, on average.
    pub mean_wait: Duration,
    /// Jobs settled.
    pub settled: u64,
    /// Settles that came too late and changed nothing.
    pub stale_settles: u64,
    /// Failed attempts put off by the user's retry policy.
    pub retried: u64,
    /// Jobs given back after trouble on our side.
    pub given_back: u64,
    /// Jobs taken back from dead workers.
    pub reaped: u64,
    /// Jobs given up.
    pub dead: u64,
}

/// As a lease holds it.
#[derive(Serialize)]
struct Noted {
    class: i16,
    claimed: u64,
    waited_micros: u64,
    settled: u64,
    stale_settles: u64,
    retried: u64,
    given_back: u64,
    reaped: u64,
    dead: u64,
}

impl From<ClassCounts> for Noted {
    fn from(counts: ClassCounts) -> Self {
        Self {
            class: counts.class as i16,
            claimed: counts.claim_waits.iter().sum(),
            waited_micros: counts.claim_wait_total.as_micros() as u64,
            settled: counts.settled,
            stale_settles: counts.stale_settles,
            retried: counts.retried,
            given_back: counts.given_back,
            reaped: counts.reaped,
            dead: counts.dead,
        }
    }
}

/// What this process did, for its lease.
pub(super) fn noted() -> serde_json::Value {
    serde_json::json!(counts().map(Noted::from))
}

/// The numbers of all running workers, the most urgent class first; nothing of a class that no worker
/// has told of yet.
pub async fn tallies(db: &Db) -> Result<Vec<Tally>, StoreError> {
    let rows = sqlx::query!(
        r#"select class as "class!", sum(claimed)::bigint as "claimed!",
                  (sum(waited_micros) / greatest(sum(claimed), 1))::bigint as "mean_wait_micros!",
                  sum(settled)::bigint as "settled!", sum(stale_settles)::bigint as "stale_settles!",
                  sum(retried)::bigint as "retried!", sum(given_back)::bigint as "given_back!",
                  sum(reaped)::bigint as "reaped!", sum(dead)::bigint as "dead!"
           from q.lease, jsonb_to_recordset(counts) as noted (
               class smallint, claimed bigint, waited_micros bigint, settled bigint, stale_settles bigint,
               retried bigint, given_back bigint, reaped bigint, dead bigint)
           where expires_at > now()
           group by class order by class"#
    )
    .fetch_all(db.autocommit())
    .await?;
    rows.into_iter()
        .map(|row| {
            let class = Class::numbered(row.class)
                .ok_or_else(|| StoreError::unreadable("a lease counts an unknown class"))?;
            Ok(Tally {
                class,
                claimed: row.claimed.unsigned_abs(),
                mean_wait: Duration::from_micros(row.mean_wait_micros.unsigned_abs()),
                settled: row.settled.unsigned_abs(),
                stale_settles: row.stale_settles.unsigned_abs(),
                retried: row.retried.unsigned_abs(),
                given_back: row.given_back.unsigned_abs(),
                reaped: row.reaped.unsigned_abs(),
                dead: row.dead.unsigned_abs(),
            })
        })
        .collect()
}
