//! How full the queue is, for whoever watches over it. Reads every live row: for a scrape every few
//! seconds, not for a hot path.

use std::time::Duration;

use super::job::Class;
use crate::store::{Db, StoreError};

/// One class's live jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth {
    /// Of which class.
    pub class: Class,
    /// Waiting for a slot.
    pub ready: u64,
    /// Under some worker's lease.
    pub running: u64,
    /// Put off: retries, and jobs given back after trouble.
    pub deferred: u64,
    /// How long the oldest ready job has been waiting.
    pub oldest_ready: Option<Duration>,
}

/// All classes, the most urgent first, the empty ones too.
pub async fn depths(db: &Db) -> Result<Vec<Depth>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.class as "class!",
                  coalesce(j.ready, 0) as "ready!", coalesce(j.running, 0) as "running!",
                  coalesce(l.deferred, 0) as "deferred!", j.oldest_seconds
           from unnest(array[0, 1, 2]::smallint[]) as c (class)
           left join (
               select class, count(*) filter (where lease_id is null) as ready, count(lease_id) as running,
                      extract(epoch from now() - min(enqueued_at) filter (where lease_id is null))::float8
                          as oldest_seconds
               from q.job group by class
           ) j on j.class = c.class
           left join (select class, count(*) as deferred from q.later group by class) l on l.class = c.class
           order by c.class"#
    )
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            let oldest =
                row.oldest_seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0)));
            Ok(Depth {
                class: Class::numbered(row.class)
                    .ok_or_else(|| StoreError::unreadable("a class without a name"))?,
                ready: row.ready.unsigned_abs(),
                running: row.running.unsigned_abs(),
                deferred: row.deferred.unsigned_abs(),
                oldest_ready: oldest,
            })
        })
        .collect()
}
