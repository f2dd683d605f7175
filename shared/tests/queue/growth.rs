//! Bounded growth: rows lie in the partition of their day, and what is older than it is kept goes, by
//! whole days or row by row.

use shared::{
    config::Retention,
    domain::Plan,
    store::retention::{self, Kind, Removed},
};

use crate::fixture::Fixture;

/// An id as it was given out so many days ago.
const ID_OF_THEN: &str = "(left(uuid_at(now() - make_interval(days => $1))::text, 14)
                           || substr(gen_random_uuid()::text, 15))::uuid";

impl Fixture {
    async fn partitions(&self) -> Vec<String> {
        sqlx::query_scalar(
            "select inhrelid::regclass::text from pg_inherits
             where inhparent = 'execution'::regclass order by 1",
        )
        .fetch_all(&self.sql)
        .await
        .unwrap()
    }

    /// The partition that a day would have had, so many days ago.
    async fn day(&self, parent: &str, days_ago: i32) -> String {
        let make = "do $do$ declare day timestamptz := date_trunc('day', now(), 'UTC') - interval 'DAYS days';
            begin execute format('create table %I partition of PARENT for values from (%L) to (%L)',
                'PARENT' || to_char(day at time zone 'UTC', '_YYYYMMDD'),
                uuid_at(day), uuid_at(day + interval '1 day')); end $do$";
        let make = make.replace("DAYS", &days_ago.to_string()).replace("PARENT", parent);
        sqlx::query(sqlx::AssertSqlSafe(make)).execute(&self.sql).await.unwrap();
        let name = "select $1 || to_char((now() at time zone 'UTC')::date - $2, '_YYYYMMDD')";
        sqlx::query_scalar(name).bind(parent).bind(days_ago).fetch_one(&self.sql).await.unwrap()
    }

    /// Writes rows of so many days ago, beside what the database would demand of them: `$1` are the
    /// days, `ID` is an id of then.
    async fn write(&self, days_ago: i32, statement: &str) {
        let statement = statement.replace("ID", ID_OF_THEN);
        let mut tx = self.sql.begin().await.unwrap();
        let free = "set local session_replication_role = replica";
        sqlx::query(free).execute(&mut *tx).await.unwrap();
        let write = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(days_ago);
        write.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn execution(&self, days_ago: i32, dead_letter: bool) {
        let insert = "insert into execution (id, tenant_id, project_id, function_id, version_id,
                version_number, mode, status, dead_letter, input, request_id, queued_at, completed_at)
            values (ID, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1,
                'async', 'failed', LETTER, '{}', gen_random_uuid(), now() - make_interval(days => $1),
                now() - make_interval(days => $1))";
        self.write(days_ago, &insert.replace("LETTER", &dead_letter.to_string())).await;
    }

    async fn count(&self, table: &str) -> i64 {
        let count = format!("select count(*) from {table}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&self.sql).await.unwrap()
    }

    async fn remove(&self, kind: Kind) -> Removed {
        retention::remove(&self.db, kind, &Retention::default()).await.unwrap()
    }
}

const NOTHING: Removed = Removed { rows: 0, days: 0 };
const ONE_ROW: Removed = Removed { rows: 1, days: 0 };
const ONE_DAY: Removed = Removed { rows: 0, days: 1 };

#[tokio::test]
async fn a_call_lies_in_the_partition_of_its_day_and_is_looked_up_there_alone() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    let id = q.call(owner, q.function(owner, None).await).await;
    let at_home: bool = sqlx::query_scalar(
        "select tableoid::regclass::text = 'execution_' || to_char(now() at time zone 'UTC', 'YYYYMMDD')
         from execution where id = $1",
    )
    .bind(id.0)
    .fetch_one(&q.sql)
    .await
    .unwrap();
    assert!(at_home);
    let statement = format!("explain select from execution where id = '{}'", id.0);
    let plan: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_all(&q.sql).await.unwrap();
    assert_eq!(plan.iter().filter(|line| line.contains(" on execution_")).count(), 1, "{plan:?}");
}

#[tokio::test]
async fn days_that_are_over_are_dropped_whole_and_days_ahead_are_there() {
    let q = Fixture::new().await;
    let (kept, dropped) = (q.day("execution", 30).await, q.day("execution", 31).await);
    q.day("execution_log", 31).await;
    q.execution(30, false).await;
    q.execution(31, false).await;
    retention::make_partitions(&q.db).await.unwrap();
    assert_eq!(q.remove(Kind::Executions).await, ONE_DAY);
    assert_eq!(q.remove(Kind::Logs).await, ONE_DAY);
    let left = q.partitions().await;
    assert!(left.contains(&kept) && !left.contains(&dropped), "{left:?}");
    // Today, three days ahead, the one for everything else, and the one that is kept.
    assert_eq!((left.len(), q.count("execution").await), (6, 1));
    assert_eq!(q.remove(Kind::Executions).await, NOTHING, "twice is as good");
}

#[tokio::test]
async fn a_day_stays_while_something_in_it_is_needed_and_its_other_rows_go() {
    let q = Fixture::new().await;
    q.day("execution", 40).await;
    q.day("execution", 50).await;
    let keep = Retention { dead_letters: 45, ..Retention::default() };
    for (days_ago, dead_letter) in [(40, true), (40, false), (50, false), (50, false)] {
        q.execution(days_ago, dead_letter).await;
    }
    // One that is still to run: put off again and again, or asked for long ago.
    let job =
        "insert into q.later (kind, subject_id, class, tenant_id, function_id, request_id, attempt,
            redeliveries, cancel_requested, enqueued_at, due_at)
        select 'execute', id, 1, tenant_id, function_id, request_id, 1, 0, false, now(), now()
        from execution where id < uuid_at(now() - make_interval(days => $1)) limit 1";
    q.write(45, job).await;
    let removed = retention::remove(&q.db, Kind::DeadLetters, &keep).await.unwrap();
    assert_eq!(removed, NOTHING);
    let removed = retention::remove(&q.db, Kind::Executions, &keep).await.unwrap();
    assert_eq!(removed, Removed { rows: 2, days: 0 });
    assert_eq!(q.count("execution where dead_letter").await, 1);
    assert_eq!(q.count("execution").await, 2);
    // Its time is over: it leaves the list, and then goes with the others of its day.
    assert_eq!(q.remove(Kind::DeadLetters).await, ONE_ROW);
    assert_eq!(q.remove(Kind::Executions).await, ONE_DAY);
    sqlx::query("delete from q.later").execute(&q.sql).await.unwrap();
    assert_eq!(q.remove(Kind::Executions).await, ONE_DAY);
}

#[tokio::test]
async fn rows_without_a_partition_of_their_day_go_one_by_one() {
    let q = Fixture::new().await;
    q.execution(31, false).await;
    q.execution(2, false).await;
    let line = "insert into execution_log (execution_id, seq, tenant_id, function_id, attempt, at, stream, line)
        values (ID, 1, gen_random_uuid(), gen_random_uuid(), 1, now(), 'stderr', 'a line')";
    q.write(31, line).await;
    q.write(2, line).await;
    assert_eq!(q.remove(Kind::Executions).await, ONE_ROW);
    assert_eq!(q.remove(Kind::Logs).await, ONE_ROW);
    assert_eq!((q.count("execution").await, q.count("execution_log").await), (1, 1));
}

#[tokio::test]
async fn of_every_other_kind_the_old_goes_and_the_young_stays() {
    let q = Fixture::new().await;
    let then = "now() - make_interval(days => $1)";
    let kinds = [
        (
            Kind::Deliveries,
            31,
            "callback",
            "(execution_id, tenant_id, project_id, url, status, due_at, created_at)
            values (ID, gen_random_uuid(), gen_random_uuid(), 'http://a', 'delivered', null, THEN)",
        ),
        (
            Kind::IdempotencyKeys,
            2,
            "idempotency_key",
            "(tenant_id, user_id, key, fingerprint, execution_id, created_at, held_until)
            values (gen_random_uuid(), gen_random_uuid(), 'k', sha256('a'), ID, THEN, THEN)",
        ),
        (
            Kind::Audit,
            366,
            "audit",
            "(tenant_id, action, request_id, at)
            values (gen_random_uuid(), 'something', ID, THEN)",
        ),
        (
            Kind::Sessions,
            2,
            "session",
            "(id, user_id, tenant_id, expires_at)
            values (ID, gen_random_uuid(), gen_random_uuid(), THEN)",
        ),
    ];
    for (kind, old, table, values) in kinds {
        let insert = format!("insert into {table} {values}").replace("THEN", then);
        q.write(old, &insert).await;
        q.write(0, &insert).await;
        assert_eq!(q.remove(kind).await, ONE_ROW, "{kind}");
        assert_eq!((q.remove(kind).await, q.count(table).await), (NOTHING, 1), "{kind}");
    }
}

#[tokio::test]
async fn a_build_goes_when_its_version_and_those_that_share_it_are_gone() {
    let q = Fixture::new().await;
    let builds = "with v as (
            insert into function_version (id, tenant_id, function_id, number, runtime, timeout_seconds,
                memory_mib, created_by, removed_at)
            select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'rust', 1, 16,
                gen_random_uuid(), removed_at
            from (values (null), (now()), (now())) as removed (removed_at)
            returning id, tenant_id, function_id, removed_at)
        insert into build (id, tenant_id, function_id, version_id, status, request_id, completed_at)
        select gen_random_uuid(), tenant_id, function_id, id, 'succeeded', gen_random_uuid(),
            now() - make_interval(days => $1) from v";
    q.write(31, builds).await;
    q.write(2, builds).await;
    // A version that still serves has one of the builds whose own version is gone.
    let sharing = "insert into function_version (id, tenant_id, function_id, number, runtime,
            timeout_seconds, memory_mib, created_by, built_as)
        select gen_random_uuid(), b.tenant_id, b.function_id, 2, 'rust', 1, 16, gen_random_uuid(), v.id
        from build b join function_version v on v.id = b.version_id
        where v.removed_at is not null and b.completed_at < now() - make_interval(days => $1) limit 1";
    q.write(30, sharing).await;
    assert_eq!(q.remove(Kind::Builds).await, ONE_ROW);
    assert_eq!((q.remove(Kind::Builds).await, q.count("build").await), (NOTHING, 5));
}

#[tokio::test]
async fn what_happened_lately_cannot_be_deleted_by_anybody() {
    let q = Fixture::new().await;
    let deed = "insert into audit (tenant_id, action, request_id, at)
        values (gen_random_uuid(), 'something', ID, now() - make_interval(days => $1))";
    q.write(29, deed).await;
    q.write(31, deed).await;
    let delete = "delete from audit where at > now() - interval '30 days'";
    assert!(sqlx::query(delete).execute(&q.sql).await.is_err());
    let update = "update audit set action = 'nothing'";
    assert!(sqlx::query(update).execute(&q.sql).await.is_err());
    assert!(sqlx::query("truncate audit").execute(&q.sql).await.is_err());
    let mut tx = q.sql.begin().await.unwrap();
    let tenant =
        "select set_config('app.tenant', tenant_id::text, true) from audit order by at limit 1";
    sqlx::query(tenant).execute(&mut *tx).await.unwrap();
    let for_a_tenant = sqlx::query("delete from audit").execute(&mut *tx).await;
    assert!(for_a_tenant.is_err(), "{for_a_tenant:?}");
    drop(tx);
    assert_eq!(q.count("audit").await, 2);
}

#[tokio::test]
async fn one_cleans_at_a_time_and_a_stop_in_the_middle_loses_nothing() {
    let q = Fixture::new().await;
    let lock = retention::begin(&q.db).await.unwrap();
    assert!(lock.is_some() && retention::begin(&q.db).await.unwrap().is_none());
    drop(lock);
    let keys = "insert into idempotency_key (tenant_id, user_id, key, fingerprint, execution_id, created_at, held_until)
        select gen_random_uuid(), gen_random_uuid(), 'k', sha256('a'), gen_random_uuid(),
            now() - make_interval(days => $1), now() from generate_series(1, 2500)";
    q.write(3, keys).await;
    let some_are_gone = async {
        while q.count("idempotency_key").await == 2500 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = some_are_gone => {}
        removed = q.remove(Kind::IdempotencyKeys) => assert_eq!(removed.rows, 2500),
    }
    q.remove(Kind::IdempotencyKeys).await;
    assert_eq!(q.count("idempotency_key").await, 0);
    // The lock's session ends a moment after the value.
    while retention::begin(&q.db).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}
