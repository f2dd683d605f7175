//! Calls that keep coming in, what became of them, and how many ran at once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use shared::{
    domain::{
        Actor, ExecutionId, ExecutionMode, FunctionId, JsonText, Plan, RequestId, Role, TenantId,
        UserId,
    },
    queue::{JobKind, Signals},
    store::{Db, StoreError, call},
};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::Instant;
use uuid::Uuid;

/// Of the narrow function; the tenant's own limit is its plan's.
const MAX_CONCURRENCY: i64 = 2;

#[derive(Clone)]
pub(crate) struct Calls {
    db: Db,
    sql: PgPool,
    signals: Signals,
    callers: Vec<(Actor, FunctionId)>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    samples: u32,
    excesses: Vec<String>,
}

/// Everything there is to count at the end.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) accepted: i64,
    pub(crate) settled: i64,
    pub(crate) dead: i64,
    pub(crate) live: i64,
    /// Times that any execution became final.
    pub(crate) outcomes: i64,
    /// Executions that were tried more than once.
    pub(crate) repeated: i64,
}

impl Calls {
    pub(crate) async fn prepare(url: &str) -> Self {
        let db = Db::connect(url, 4).await.unwrap();
        db.migrate().await.unwrap();
        let sql = PgPoolOptions::new().max_connections(4).connect(url).await.unwrap();
        sqlx::raw_sql(include_str!("outcomes.sql")).execute(&sql).await.unwrap();
        let mut callers = Vec::new();
        for plan in [Plan::Free, Plan::Paid] {
            let actor = Actor { user: UserId::new(), tenant: TenantId::new() };
            for max_concurrency in [Some(MAX_CONCURRENCY), None] {
                let function = FunctionId::new();
                sqlx::query("select add_function($1, $2, $3, $4, $5)")
                    .bind(actor.tenant.0)
                    .bind(plan.as_str())
                    .bind(actor.user.0)
                    .bind(function.0)
                    .bind(max_concurrency.map(|limit| limit as i32))
                    .execute(&sql)
                    .await
                    .unwrap();
                callers.push((actor, function));
            }
        }
        let signals = Signals::connect(url).await.unwrap();
        Self { db, sql, signals, callers, seen: Arc::default() }
    }

    /// Returns how many calls were answered with yes.
    pub(crate) async fn push_until(self, end: Instant) -> i64 {
        let mut accepted = 0;
        while Instant::now() < end {
            let (actor, function) = self.callers[rand::random_range(0..self.callers.len())];
            match self.push(actor, function).await {
                Ok(()) => accepted += 1,
                // The caller was told no, or nothing: the call may be there or not.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        accepted
    }

    async fn push(&self, actor: Actor, function: FunctionId) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let call = call::NewCalls {
            function,
            least_role: Role::Viewer,
            mode: ExecutionMode::Async,
            calls: &[(ExecutionId::new(), JsonText::parse("{}".to_owned()).unwrap())],
            cause: RequestId::new().into(),
            terms: call::Terms::default(),
        };
        let accepted = call::accept(&mut tx, actor, &call).await?;
        assert!(accepted.is_some_and(|(_, accepted)| accepted.is_some()));
        tx.commit().await?;
        self.signals.jobs_pushed(&[JobKind::Execute]);
        Ok(())
    }

    pub(crate) async fn sample_limits(self) {
        loop {
            tokio::time::sleep(Duration::from_millis(15)).await;
            let over: Result<Vec<(Uuid, i64)>, _> = sqlx::query_as(
                "select j.tenant_id, count(*) from q.job j join tenant t on t.id = j.tenant_id
                 where j.lease_id is not null group by 1, t.plan
                 having count(*) > case t.plan when 'free' then 10 else 100 end
                 union all
                 select j.function_id, count(*) from q.job j
                 join function_version v on v.function_id = j.function_id
                 where j.lease_id is not null group by 1, v.max_concurrency
                 having count(*) > v.max_concurrency",
            )
            .fetch_all(&self.sql)
            .await;
            let Ok(over) = over else { continue };
            let mut seen = self.seen.lock().unwrap();
            seen.samples += 1;
            seen.excesses.extend(over.iter().map(|(who, running)| format!("{who}: {running}")));
        }
    }

    /// Holds everybody off the queue's table until the value that comes back is dropped.
    pub(crate) async fn lock_queue(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut holder = self.sql.begin().await.unwrap();
        sqlx::query("lock table q.job").execute(&mut *holder).await.unwrap();
        holder
    }

    pub(crate) fn samples(&self) -> u32 {
        self.seen.lock().unwrap().samples
    }

    pub(crate) fn excesses(&self) -> Vec<String> {
        self.seen.lock().unwrap().excesses.clone()
    }

    pub(crate) async fn live(&self) -> i64 {
        let live = "select (select count(*) from q.job) + (select count(*) from q.later)";
        sqlx::query_scalar(live).fetch_one(&self.sql).await.unwrap_or(i64::MAX)
    }

    pub(crate) async fn live_leases(&self) -> i64 {
        let live = "select count(*) from q.lease where expires_at > now()";
        sqlx::query_scalar(live).fetch_one(&self.sql).await.unwrap()
    }

    pub(crate) async fn tally(&self) -> Tally {
        let (accepted, settled, dead, outcomes, repeated) = sqlx::query_as(
            "select count(*), count(*) filter (where status = 'completed'),
                    count(*) filter (where status = 'failed' and reason = 'worker_lost'),
                    (select count(*) from outcome), count(*) filter (where attempt > 1)
             from execution",
        )
        .fetch_one(&self.sql)
        .await
        .unwrap();
        Tally { accepted, settled, dead, live: self.live().await, outcomes, repeated }
    }
}
