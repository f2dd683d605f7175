//! Workers that are lost, or stopped, on the way: the same end state as if nothing had happened.

use std::time::Duration;

use shared::{
    queue::{self, SettleError},
    store::{self, execution},
};

use crate::fixture::{Fixture, HELLO, SLEEPER};

#[tokio::test]
async fn an_execution_whose_worker_died_after_loading_completes_once() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(HELLO, 30).await;
    worker.stop().await;
    let id = f.call(function, r#"{"name":"you"}"#).await;
    let (lease, job) = f.claim_and_die().await;
    let started = execution::start(&f.db, id, job.attempt, "dead").await.unwrap().unwrap();
    f.expire(lease).await;

    let worker = f.start_worker(Duration::from_secs(30)).await;
    assert_eq!(f.final_status("execution", id.0).await, "completed");
    let attempts = "select worker from execution where id = $1";
    assert_eq!(f.text(attempts, id.0).await.as_deref(), Some("test"));

    // The dead one comes back and wants to record what it found out.
    let mut tx = f.db.begin().await.unwrap();
    assert!(matches!(queue::settle(&mut tx, job.claim).await, Err(SettleError::Stale)));
    drop((tx, started));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_build_whose_worker_died_after_loading_succeeds_once() {
    let f = Fixture::new().await;
    let function = f.create(HELLO, 30).await;
    let (lease, job) = f.claim_and_die().await;
    let build = shared::domain::BuildId(job.subject);
    store::build::start(&f.db, build).await.unwrap().unwrap();
    f.expire(lease).await;

    let worker = f.start_worker(Duration::from_secs(30)).await;
    assert_eq!(f.final_status("build", build.0).await, "succeeded");
    assert_eq!(f.final_status("function", function.0).await, "active");
    let mut tx = f.db.begin().await.unwrap();
    assert!(matches!(queue::settle(&mut tx, job.claim).await, Err(SettleError::Stale)));
    worker.stop().await;
}

#[tokio::test]
async fn a_stopping_worker_gives_back_what_does_not_end_in_time() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::ZERO).await;
    let function = f.built(SLEEPER, 300).await;
    let id = f.call(function, "{}").await;
    f.until_running("execution", id.0).await;
    worker.stop().await;

    let job =
        "select coalesce(lease_id::text, 'ready') || redeliveries from q.job where subject_id = $1";
    assert_eq!(f.text(job, id.0).await.as_deref(), Some("ready0"));
    let leases: i64 =
        sqlx::query_scalar("select count(*) from q.lease").fetch_one(&f.sql).await.unwrap();
    assert_eq!(leases, 0);
}
