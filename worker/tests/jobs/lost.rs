//! Workers that are lost, or stopped, on the way: the same end state as if nothing had happened.

use std::time::Duration;

use shared::{
    queue::{self, SettleError},
    store::{self, execution},
};

use test_support::{Fault, Proxy};

use crate::fixture::{Fixture, HELLO, RunningWorker, SLEEPER};

/// The call is run and nothing is written.
const AFTER_RUN: &[&str] = &["settled as materialized"];
/// Everything of a call is written in one statement: the one that carries the output.
const WITH_OUTCOME: &[&str] = &["settled as materialized", "Hello, you!"];
/// The build is done and nothing is written.
const AFTER_BUILD: &[&str] = &["q.settle"];
/// Everything of a build is written but for the last word.
const BEFORE_COMMIT: &[&str] = &["q.settle", "COMMIT"];

#[tokio::test]
async fn an_execution_whose_worker_died_after_loading_completes_once() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(HELLO, 30).await;
    worker.stop().await;
    let id = f.call(function, r#"{"name":"you"}"#).await;
    let (lease, job) = f.claim_and_die().await;
    let started = execution::start(&f.db, id, job.attempt, &"dead".into()).await.unwrap().unwrap();
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

impl Fixture {
    /// A worker whose way to the database fails at this statement.
    async fn start_worker_that_fails(
        &self,
        at: &[&'static str],
        fault: Fault,
    ) -> (RunningWorker, Proxy) {
        let proxy = Proxy::before(self.database.url()).await;
        let grace = Duration::from_secs(30);
        let worker = self.start_worker_over(proxy.url(), "first", grace).await;
        proxy.arm(at, fault);
        (worker, proxy)
    }

    /// A call on its way to a worker that fails: how it ended, and which try that was.
    async fn call_that_meets(&self, at: &[&'static str], fault: Fault) -> (String, i32, i64) {
        let builder = self.start_worker(Duration::from_secs(30)).await;
        let function = self.built(HELLO, 30).await;
        builder.stop().await;
        let (first, proxy) = self.start_worker_that_fails(at, fault).await;
        let id = self.call(function, r#"{"name":"you"}"#).await;
        proxy.struck().await;
        let second = self.start_worker(Duration::from_secs(30)).await;
        let status = self.final_status("execution", id.0).await;
        first.stop().await;
        second.stop().await;
        assert_eq!(self.live_jobs().await, 0);
        let (attempt, lines) = sqlx::query_as(
            "select attempt, (select count(*) from execution_log where execution_id = $1)
             from execution where id = $1",
        )
        .bind(id.0)
        .fetch_one(&self.sql)
        .await
        .unwrap();
        (status, attempt, lines)
    }

    /// The same of a build; the second number is how many binaries there are.
    async fn build_that_meets(&self, at: &[&'static str], fault: Fault) -> (String, String, i64) {
        let (first, proxy) = self.start_worker_that_fails(at, fault).await;
        let function = self.create(HELLO, 30).await;
        proxy.struck().await;
        let second = self.start_worker(Duration::from_secs(30)).await;
        let build = self.build_of(function).await;
        let status = self.final_status("build", build.0).await;
        let serves = self.final_status("function", function.0).await;
        first.stop().await;
        second.stop().await;
        assert_eq!(self.live_jobs().await, 0);
        let count = "select count(*) from artifact";
        (status, serves, sqlx::query_scalar(count).fetch_one(&self.sql).await.unwrap())
    }
}

#[tokio::test]
async fn a_call_whose_worker_is_lost_after_the_run_is_run_again_and_ends_once() {
    let ended = Fixture::new().await.call_that_meets(AFTER_RUN, Fault::Silence).await;
    assert_eq!(ended, ("completed".to_owned(), 2, 1));
}

#[tokio::test]
async fn a_call_whose_worker_is_lost_before_the_commit_is_run_again_and_ends_once() {
    let ended = Fixture::new().await.call_that_meets(WITH_OUTCOME, Fault::Silence).await;
    assert_eq!(ended, ("completed".to_owned(), 2, 1));
}

#[tokio::test]
async fn a_call_whose_connection_is_cut_before_the_commit_is_recorded_by_the_same_run() {
    let ended = Fixture::new().await.call_that_meets(WITH_OUTCOME, Fault::CutBefore).await;
    assert_eq!(ended, ("completed".to_owned(), 1, 1));
}

#[tokio::test]
async fn a_call_whose_commit_went_through_unheard_is_recorded_once() {
    let ended = Fixture::new().await.call_that_meets(WITH_OUTCOME, Fault::CutAfter).await;
    assert_eq!(ended, ("completed".to_owned(), 1, 1));
}

#[tokio::test]
async fn a_build_whose_worker_is_lost_after_the_run_is_built_again_and_ends_once() {
    let ended = Fixture::new().await.build_that_meets(AFTER_BUILD, Fault::Silence).await;
    assert_eq!(ended, ("succeeded".to_owned(), "active".to_owned(), 1));
}

#[tokio::test]
async fn a_build_whose_worker_is_lost_before_the_commit_is_built_again_and_ends_once() {
    let ended = Fixture::new().await.build_that_meets(BEFORE_COMMIT, Fault::Silence).await;
    assert_eq!(ended, ("succeeded".to_owned(), "active".to_owned(), 1));
}

#[tokio::test]
async fn a_build_whose_commit_went_through_unheard_is_recorded_once() {
    let ended = Fixture::new().await.build_that_meets(BEFORE_COMMIT, Fault::CutAfter).await;
    assert_eq!(ended, ("succeeded".to_owned(), "active".to_owned(), 1));
}
