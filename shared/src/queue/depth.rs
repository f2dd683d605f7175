//! How full the queue is, for whoever watches over it. Reads every live row: for a scrape every few
//! seconds, not for a hot path.

use std::time::Duration;

use time::OffsetDateTime;

use super::job::Class;
use crate::{
    domain::TenantId,
    store::{Db, StoreError},
};

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

/// All classes, the most urgent first, the empty ones too; of one tenant, or of all.
pub async fn depths(db: &Db, tenant: Option<TenantId>) -> Result<Vec<Depth>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.class as "class!",
                  coalesce(j.ready, 0) as "ready!", coalesce(j.running, 0) as "running!",
                  coalesce(l.deferred, 0) as "deferred!", j.oldest_seconds
           from unnest(array[0, 1, 2]::smallint[]) as c (class)
           left join (
               select class, count(*) filter (where lease_id is null) as ready, count(lease_id) as running,
                      extract(epoch from now() - min(enqueued_at) filter (where lease_id is null))::float8
                          as oldest_seconds
               from q.job where $1::uuid is null or tenant_id = $1 group by class
           ) j on j.class = c.class
           left join (select class, count(*) as deferred from q.later
                      where $1::uuid is null or tenant_id = $1 group by class) l on l.class = c.class
           order by c.class"#,
        tenant.map(|id| id.0)
    )
    .fetch_all(db.autocommit())
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

/// A worker process that holds a lease.
#[derive(Debug)]
pub struct WorkerSession {
    /// Its name, for people.
    pub name: String,
    /// When this life of it began.
    pub started_at: OffsetDateTime,
    /// False: it has not been heard of for longer than a lease lives.
    pub alive: bool,
    /// Calls that it runs.
    pub calls: u64,
    /// Builds that it runs.
    pub builds: u64,
    /// What it can build with, as the toolchains say it.
    pub toolchains: Vec<String>,
    /// Layers of isolation that it was allowed to start without.
    pub degraded: Vec<String>,
}

/// The workers, by name. Those that ended in order are not among them.
pub async fn workers(db: &Db) -> Result<Vec<WorkerSession>, StoreError> {
    let rows = sqlx::query!(
        r#"select l.worker, l.started_at, l.expires_at > now() as "alive!",
                  count(j.id) filter (where j.class < 2) as "calls!",
                  count(j.id) filter (where j.class = 2) as "builds!", l.degraded,
                  array(select t.version from toolchain_offer t where t.worker = l.worker
                        order by t.language) as "toolchains!"
           from q.lease l left join q.job j on j.lease_id = l.id
           group by l.id order by l.worker, l.id limit 1000"#
    )
    .fetch_all(db.autocommit())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WorkerSession {
            name: row.worker,
            started_at: row.started_at,
            alive: row.alive,
            calls: row.calls.unsigned_abs(),
            builds: row.builds.unsigned_abs(),
            toolchains: row.toolchains,
            degraded: row.degraded,
        })
        .collect())
}
