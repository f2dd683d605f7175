//! Cancel: what waits is gone at once, what runs is asked to end, what is final says so.

use std::time::Duration;

use shared::{
    domain::{ExecutionId, ExecutionStatus, Plan, TenantId},
    queue::{self, Signals},
    store::cancel::{self, Cancelled},
};

use crate::fixture::{Fixture, Owner, PLENTY};

impl Fixture {
    async fn cancel(&self, tenant: TenantId, id: ExecutionId) -> Option<Cancelled> {
        let mut tx = self.db.begin().await.unwrap();
        let cancelled = cancel::cancel(&mut tx, tenant, id).await.unwrap();
        tx.commit().await.unwrap();
        cancelled
    }

    async fn called(&self) -> (Owner, ExecutionId) {
        let owner = self.tenant(Plan::Paid).await;
        let function = self.function(owner, None).await;
        (owner, self.call(owner, function).await)
    }
}

#[tokio::test]
async fn a_waiting_call_is_cancelled_at_once_and_stays_so() {
    let q = Fixture::new().await;
    let (owner, id) = q.called().await;
    assert_eq!(q.cancel(owner.tenant, id).await, Some(Cancelled::AtOnce));
    assert_eq!(q.outcome(id).await, ("cancelled".into(), Some("cancelled".into())));
    assert_eq!(q.live_jobs().await, 0);
    let again = Some(Cancelled::TooLate(ExecutionStatus::Cancelled));
    assert_eq!(q.cancel(owner.tenant, id).await, again);
}

#[tokio::test]
async fn a_call_that_waits_for_its_next_attempt_is_cancelled_at_once() {
    let q = Fixture::new().await;
    let (owner, id) = q.called().await;
    let job = q.claim_one(q.lease().await).await;
    let mut tx = q.db.begin().await.unwrap();
    queue::retry(&mut tx, job.claim, Duration::from_secs(3600)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(q.cancel(owner.tenant, id).await, Some(Cancelled::AtOnce));
    assert_eq!(q.outcome(id).await.0, "cancelled");
}

#[tokio::test]
async fn a_running_call_is_asked_to_end_by_signal_and_by_beat() {
    let q = Fixture::new().await;
    let (owner, id) = q.called().await;
    let lease = q.lease().await;
    let job = q.claim_one(lease).await;
    assert!(queue::beat(&q.db, lease).await.unwrap().cancelled.is_empty());
    let here = Signals::connect(q.database.url()).await.unwrap();
    let there = Signals::connect(q.database.url()).await.unwrap();
    let mut requests = there.cancel_requests();

    assert_eq!(q.cancel(owner.tenant, id).await, Some(Cancelled::Asked));
    here.cancel_requested(id.0);
    assert_eq!(requests.recv().await.unwrap(), id.0);
    assert_eq!(queue::beat(&q.db, lease).await.unwrap().cancelled, [id.0]);
    assert_eq!(q.cancel(owner.tenant, id).await, Some(Cancelled::Asked), "twice is as good");
    q.settle(&job).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_job_whose_worker_is_lost_comes_back_to_be_cancelled() {
    let q = Fixture::new().await;
    let (owner, id) = q.called().await;
    let lost = q.lease().await;
    q.claim_one(lost).await;
    q.cancel(owner.tenant, id).await;
    q.expire(lost).await;
    assert_eq!(q.reap().await.returned, 1);
    assert!(q.claim_one(q.lease().await).await.cancel_requested);
}

#[tokio::test]
async fn a_cancelled_job_that_fails_comes_back_at_once_to_be_cancelled() {
    let q = Fixture::new().await;
    let (owner, id) = q.called().await;
    let lease = q.lease().await;
    let job = q.claim_one(lease).await;
    q.cancel(owner.tenant, id).await;
    let mut tx = q.db.begin().await.unwrap();
    queue::retry(&mut tx, job.claim, Duration::from_secs(3600)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(queue::promote_due(&q.db).await.unwrap(), 1);
    assert!(q.claim_one(lease).await.cancel_requested);
}

#[tokio::test]
async fn nobody_cancels_for_another_tenant() {
    let q = Fixture::new().await;
    let (_, id) = q.called().await;
    assert_eq!(q.cancel(TenantId::new(), id).await, None);
    let lease = q.lease().await;
    q.claim_one(lease).await;
    assert_eq!(q.cancel(TenantId::new(), id).await, None);
    assert!(queue::beat(&q.db, lease).await.unwrap().cancelled.is_empty());
}

#[tokio::test]
async fn of_a_cancel_and_a_claim_at_the_same_time_one_wins() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Enterprise).await;
    let function = q.function(owner, None).await;
    let lease = q.lasting_lease().await;
    for _ in 0..20 {
        let id = q.call(owner, function).await;
        let (cancelled, claimed) = tokio::join!(q.cancel(owner.tenant, id), q.claim(lease, PLENTY));
        match cancelled.unwrap() {
            Cancelled::AtOnce => assert!(claimed.is_empty()),
            Cancelled::Asked => assert_eq!(claimed[0].subject, id.0),
            Cancelled::TooLate(status) => panic!("nothing settled it, and it is {status}"),
        }
        for job in claimed {
            q.settle(&job).await.unwrap();
        }
    }
}
