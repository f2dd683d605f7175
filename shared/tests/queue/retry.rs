//! The user's retries, and what is left when they are used up: dead letters.

use std::time::Duration;

use shared::{
    domain::{ExecutionId, PageSize, Plan, Reason, RequestId, TenantId},
    queue::{self, ClaimedJob, SettleError},
    store::{
        dead_letter,
        execution::{self, FinishedExecution, StartedExecution},
        execution_report::{self, Filter},
    },
};

use crate::fixture::{Fixture, Owner};

impl Fixture {
    async fn set_policy(&self, max_retries: i32) {
        sqlx::query("update function_version set max_retries = $1")
            .bind(max_retries)
            .execute(&self.sql)
            .await
            .unwrap();
    }

    async fn start(&self) -> (ClaimedJob, StartedExecution) {
        let job = self.claim_one(self.lease().await).await;
        let id = ExecutionId(job.subject);
        let call =
            execution::start(&self.db, id, job.attempt, &"test".into()).await.unwrap().unwrap();
        (job, call)
    }

    /// Claims a call, lets it fail for good, and says which it was.
    async fn fail_for_good(&self) -> ExecutionId {
        let (job, call) = self.start().await;
        execution::settle(&self.db, job.claim, &call, job.attempt, &failed()).await.unwrap();
        call.id
    }

    async fn dead_letters(&self, owner: Owner) -> Vec<ExecutionId> {
        let page = PageSize::default();
        let filter =
            Filter { project: Some(owner.project), dead_letters: true, ..Filter::default() };
        let mut tx = self.db.begin_for(owner.tenant).await.unwrap();
        let list = execution_report::list(&mut tx, owner.tenant, filter, None, page);
        list.await.unwrap().into_iter().map(|summary| summary.id).collect()
    }
}

fn failed() -> FinishedExecution {
    FinishedExecution {
        reason: Some(Reason::NonzeroExit),
        output: None,
        error_message: Some("exit status 1".to_owned()),
        setup: Duration::ZERO,
        run: Duration::ZERO,
        cpu: Duration::ZERO,
        peak_memory_bytes: 0,
        exit_status: Some(1),
        signal: None,
        log: Vec::new(),
        log_truncated: false,
    }
}

#[tokio::test]
async fn a_failed_attempt_is_followed_by_another_which_counts_apart_from_lost_workers() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    let function = q.function(owner, None).await;
    q.set_policy(1).await;
    let id = q.call(owner, function).await;

    let (job, call) = q.start().await;
    let delay = call.retry_after(job.attempt, Some(Reason::NonzeroExit), 0.0).unwrap();
    assert_eq!(delay, Duration::from_secs(1));
    let mut tx = q.db.begin().await.unwrap();
    queue::retry(&mut tx, job.claim, delay).await.unwrap();
    execution::record_failed_attempt(&mut tx, &call, job.attempt, &failed()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(q.outcome(id).await.0, "pending");
    assert_eq!(queue::promote_due(&q.db).await.unwrap(), 0, "not before it is due");

    sqlx::query("update q.later set due_at = now()").execute(&q.sql).await.unwrap();
    assert_eq!(queue::promote_due(&q.db).await.unwrap(), 1);
    let (job, call) = q.start().await;
    assert_eq!((job.attempt, job.redeliveries), (2, 0));
    assert_eq!(call.retry_after(job.attempt, Some(Reason::NonzeroExit), 0.0), None);
}

#[tokio::test]
async fn success_and_permanent_failures_are_not_retried() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    let function = q.function(owner, None).await;
    q.set_policy(5).await;
    q.call(owner, function).await;
    let (_, call) = q.start().await;
    assert_eq!(call.retry_after(1, None, 0.0), None);
    assert_eq!(call.retry_after(1, Some(Reason::InvalidOutput), 0.0), None);
    assert_eq!(call.retry_after(1, Some(Reason::Cancelled), 0.0), None);
    assert!(call.retry_after(1, Some(Reason::Timeout), 0.0).is_some());
}

#[tokio::test]
async fn a_stale_claim_retries_nothing() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    q.call(owner, q.function(owner, None).await).await;
    let (job, _) = q.start().await;
    q.settle(&job).await.unwrap();
    let mut tx = q.db.begin().await.unwrap();
    assert!(queue::retry(&mut tx, job.claim, Duration::ZERO).await.is_err());
    tx.commit().await.unwrap();
    assert_eq!(queue::promote_due(&q.db).await.unwrap(), 0);
}

#[tokio::test]
async fn a_dead_letter_is_listed_driven_again_once_and_off_the_list() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    let function = q.function(owner, None).await;
    let id = q.call(owner, function).await;
    assert!(q.dead_letters(owner).await.is_empty());
    assert_eq!(q.fail_for_good().await, id);
    assert_eq!(q.dead_letters(owner).await, [id]);

    let redrive = async |tenant| {
        let mut tx = q.db.begin().await.unwrap();
        let driven =
            dead_letter::redrive(&mut tx, tenant, &[id], RequestId::new().into()).await.unwrap();
        tx.commit().await.unwrap();
        driven
    };
    assert_eq!(redrive(TenantId::new()).await, [], "not another's");
    let again = redrive(owner.tenant).await[0].again;
    assert_eq!(redrive(owner.tenant).await, [], "once");
    assert!(q.dead_letters(owner).await.is_empty());
    assert_eq!(q.outcome(id).await, ("failed".into(), Some("nonzero_exit".into())));

    let (job, call) = q.start().await;
    assert_eq!((call.id, call.input.as_str(), job.attempt), (again, "{\"n\": 1}", 1));
}

#[tokio::test]
async fn purged_dead_letters_stay_in_the_history() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    let function = q.function(owner, None).await;
    for _ in 0..3 {
        q.call(owner, function).await;
        q.fail_for_good().await;
    }
    let dead = q.dead_letters(owner).await;
    let purge = async |tenant| {
        let mut tx = q.db.begin().await.unwrap();
        let purged = dead_letter::purge(&mut tx, tenant, &dead[1..]).await.unwrap();
        tx.commit().await.unwrap();
        purged
    };
    assert_eq!(purge(TenantId::new()).await, 0);
    assert_eq!(purge(owner.tenant).await, 2);
    assert_eq!(q.dead_letters(owner).await, dead[..1]);
    assert_eq!(q.outcome(dead[2]).await.0, "failed");
}

#[tokio::test]
async fn an_outcome_is_written_although_a_crash_forgot_the_start() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Free).await;
    let id = q.call(owner, q.function(owner, None).await).await;
    let (job, call) = q.start().await;
    sqlx::query("update execution set status = 'pending', started_at = null, attempt = 0")
        .execute(&q.sql)
        .await
        .unwrap();

    execution::settle(&q.db, job.claim, &call, job.attempt, &failed()).await.unwrap();
    assert_eq!(q.outcome(id).await.0, "failed");
}

#[tokio::test]
async fn an_execution_that_has_ended_cannot_end_again() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Free).await;
    let id = q.call(owner, q.function(owner, None).await).await;
    let (job, call) = q.start().await;
    sqlx::query("update execution set status = 'cancelled'").execute(&q.sql).await.unwrap();

    let settled = execution::settle(&q.db, job.claim, &call, job.attempt, &failed()).await;
    assert!(matches!(settled, Err(SettleError::Stale)));
    assert_eq!((q.outcome(id).await.0.as_str(), q.live_jobs().await), ("cancelled", 1));
}
