//! Bounded growth: rows lie in the partition of their day, and retention drops whole days.

use shared::{domain::Plan, store::partition};

use crate::fixture::Fixture;

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
}

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
async fn days_beyond_retention_are_dropped_and_days_ahead_are_there() {
    let q = Fixture::new().await;
    for table in ["execution", "execution_log"] {
        let statement = format!(
            "create table {table}_20250101 partition of {table}
             for values from ('{}') to ('{}')",
            "01941f29-7c00-0000-0000-000000000000", "01942450-4000-0000-0000-000000000000"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&q.sql).await.unwrap();
    }
    let mut before = q.partitions().await;
    assert_eq!(partition::maintain(&q.db, 30).await.unwrap(), 2);
    before.retain(|name| name != "execution_20250101");
    assert_eq!(q.partitions().await, before);
    // Today, three days ahead, and the one for everything else.
    assert_eq!(before.len(), 5);
    assert_eq!(partition::maintain(&q.db, 30).await.unwrap(), 0, "twice is as good");
}
