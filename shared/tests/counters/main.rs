//! What a process counts of the queue. A test binary of its own, because the counts are the process's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![allow(dead_code, reason = "the fixture has steps for other tests too")]

#[path = "../queue/fixture.rs"]
mod fixture;

use std::time::Duration;

use shared::queue::{self, Class, ClassCounts, MAX_REDELIVERIES};

use crate::fixture::Fixture;

fn of(class: Class) -> ClassCounts {
    queue::counts()[class as usize]
}

fn claims(class: Class) -> u64 {
    of(class).claim_waits.iter().sum()
}

#[tokio::test]
async fn every_step_of_a_job_is_counted_once_in_its_class() {
    let q = Fixture::new().await;
    let lease = q.lasting_lease().await;

    q.push(Class::Async).await;
    let job = q.claim_one(lease).await;
    q.settle(&job).await.unwrap();
    q.settle(&job).await.unwrap_err();
    let counts = of(Class::Async);
    assert_eq!((claims(Class::Async), counts.settled, counts.stale_settles), (1, 1, 1));

    q.push(Class::Async).await;
    let job = q.claim_one(lease).await;
    let mut tx = q.db.begin().await.unwrap();
    queue::retry(&mut tx, job.claim, Duration::ZERO).await.unwrap();
    tx.commit().await.unwrap();
    queue::promote_due(&q.db).await.unwrap();
    let job = q.claim_one(lease).await;
    let mut tx = q.db.begin().await.unwrap();
    queue::give_back(&mut tx, job.claim, Duration::ZERO).await.unwrap();
    tx.commit().await.unwrap();
    let counts = of(Class::Async);
    assert_eq!((claims(Class::Async), counts.retried, counts.given_back), (3, 1, 1));

    q.push(Class::Sync).await;
    for _ in 0..=MAX_REDELIVERIES {
        let lost = q.lease().await;
        q.claim_one(lost).await;
        q.expire(lost).await;
        q.reap().await;
    }
    let counts = of(Class::Sync);
    assert_eq!((counts.reaped, counts.dead), (MAX_REDELIVERIES as u64, 1));
    assert_eq!((counts.settled, of(Class::Build).settled), (0, 0));
}

#[tokio::test]
async fn depths_tell_what_waits_runs_and_is_put_off_and_for_how_long() {
    let q = Fixture::new().await;
    let lease = q.lasting_lease().await;
    q.push(Class::Build).await;
    q.claim_one(lease).await;
    q.push(Class::Build).await;
    sqlx::query(
        "update q.job set enqueued_at = now() - interval '1 minute' where lease_id is null",
    )
    .execute(&q.sql)
    .await
    .unwrap();
    let depth = queue::depths(&q.db, None).await.unwrap()[Class::Build as usize];
    assert_eq!((depth.ready, depth.running, depth.deferred), (1, 1, 0));
    assert!(depth.oldest_ready.unwrap() >= Duration::from_secs(60));
}
