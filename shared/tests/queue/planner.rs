//! The planner's traps: statistics that are wrong by 200,000 rows, and dead rows that an old
//! snapshot keeps, must not change how the queue is read. Judged by pages touched, never by time.

use shared::queue::{self, LeaseId};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::fixture::{Fixture, PLENTY, rounds};

/// What a claim of ten jobs and their settle may touch: some index probes and 20 heap rows each.
const FEW_PAGES: i64 = 1_500;

impl Fixture {
    /// 50 tenants with 4,000 ready jobs each, which no statistics know of.
    async fn flood(&self) {
        sqlx::query(
            "insert into q.job (kind, subject_id, class, tenant_id, function_id, request_id)
             select 'execute', gen_random_uuid(), 1, t, t, t
             from (select gen_random_uuid() from generate_series(1, 50)) as tenants (t),
                  generate_series(1, 4000)",
        )
        .execute(&self.sql)
        .await
        .unwrap();
    }
}

/// Pages that a statement touched, those of the functions it calls included.
async fn pages(connection: &mut PgConnection, statement: String) -> i64 {
    let statement = format!("explain (analyze, buffers, format json) {statement}");
    let plan: serde_json::Value =
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(connection).await.unwrap();
    ["Shared Hit Blocks", "Shared Read Blocks"]
        .map(|key| plan[0]["Plan"][key].as_i64().unwrap())
        .iter()
        .sum()
}

fn claim(lease: LeaseId) -> String {
    let nobody = "'00000000-0000-0000-0000-000000000000'";
    let lease = lease.0;
    format!(
        "select * from q.claim({lease}, 0, '{{0,1}}', '{{10,10,0}}', 10, array_fill({nobody}::uuid, '{{3}}'), '{{}}',
                               '{{}}', '{{}}', '{{}}', '{{}}')"
    )
}

async fn settle(connection: &mut PgConnection) -> String {
    let running = "select coalesce(array_agg(id), '{}'), coalesce(array_agg(token), '{}')
                   from q.job where lease_id is not null";
    let (ids, tokens): (Vec<i64>, Vec<i64>) =
        sqlx::query_as(running).fetch_one(connection).await.unwrap();
    format!("select q.settle(array{ids:?}::bigint[], array{tokens:?}::bigint[])")
}

#[tokio::test]
async fn an_old_snapshot_does_not_stop_the_queue() {
    let q = Fixture::new().await;
    let lease = q.lasting_lease().await;
    let mut pin = q.sql.begin().await.unwrap();
    sqlx::query("set transaction isolation level repeatable read")
        .execute(&mut *pin)
        .await
        .unwrap();
    sqlx::query("select from q.job").execute(&mut *pin).await.unwrap();
    q.flood().await;

    let (mut rounds, mut settled) = (rounds(), 0);
    for _ in 0..10 {
        let jobs = rounds.claim(&q.db, lease, PLENTY).await.unwrap().jobs;
        let claims: Vec<_> = jobs.iter().map(|job| job.claim).collect();
        let mut tx = q.db.begin().await.unwrap();
        settled += queue::settle_many(&mut tx, &claims).await.unwrap().len();
        tx.commit().await.unwrap();
    }
    assert_eq!(settled, 10 * 1000);
    let seen: i64 =
        sqlx::query_scalar("select count(*) from q.job").fetch_one(&mut *pin).await.unwrap();
    assert_eq!(seen, 0, "the snapshot was old");
}

#[tokio::test]
async fn statistics_of_the_empty_table_do_not_mislead_a_flood() {
    let q = Fixture::new().await;
    let lease = q.lasting_lease().await;
    let mut connection = q.sql.acquire().await.unwrap();
    sqlx::query("alter table q.job set (autovacuum_enabled = off)")
        .execute(&mut *connection)
        .await
        .unwrap();
    // Statistics are taken, and plans made, while nothing is there.
    sqlx::query("analyze q.job").execute(&mut *connection).await.unwrap();
    for _ in 0..10 {
        pages(&mut connection, claim(lease)).await;
        let settle = settle(&mut connection).await;
        pages(&mut connection, settle).await;
    }
    q.flood().await;
    for _ in 0..5 {
        let claimed = pages(&mut connection, claim(lease)).await;
        assert!(claimed < FEW_PAGES, "a claim touched {claimed} pages");
        let settle = settle(&mut connection).await;
        let settled = pages(&mut connection, settle).await;
        assert!(settled < FEW_PAGES, "a settle touched {settled} pages");
    }
    assert_eq!(q.live_jobs().await, 200_000 - 50);
}
