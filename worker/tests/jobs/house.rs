//! Housekeeping, as any worker does it.

use std::time::Duration;

use uuid::Uuid;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_worker_removes_what_is_too_old_soon_after_its_start() {
    let f = Fixture::new().await;
    let mut tx = f.sql.begin().await.unwrap();
    // Who owns it does not matter here.
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let write = "insert into session (id, user_id, tenant_id, expires_at)
        select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), at
        from (values (now()), (now() - interval '2 days')) old (at)";
    sqlx::query(write).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    let worker = f.start_worker(Duration::from_secs(30)).await;
    let left = "select count(*)::text from session where $1 is not null";
    while f.text(left, Uuid::nil()).await.unwrap() != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.stop().await;
}
