//! Calls that end without a run of their own are counted like all others.

use std::time::Duration;

use shared::{
    domain::{ExecutionId, FunctionId, NetworkAccess},
    store::cancel::{self, Cancelled},
};

use crate::fixture::{Fixture, HELLO};

const GRACE: Duration = Duration::from_secs(30);

impl Fixture {
    /// A call of a function that is built, accepted while no worker runs.
    async fn waiting_call(&self, network: NetworkAccess) -> (FunctionId, ExecutionId) {
        let worker = self.start_worker(GRACE).await;
        let function = self.create_networked(HELLO, network).await;
        let build = self.build_of(function).await;
        assert_eq!(self.final_status("build", build.0).await, "succeeded");
        worker.stop().await;
        (function, self.call(function, r#"{"name":"you"}"#).await)
    }
}

#[tokio::test]
async fn a_call_that_the_platform_gives_up_is_counted_as_its_error() {
    let f = Fixture::new().await;
    // No worker here allows it.
    let (function, id) = f.waiting_call(NetworkAccess::Egress).await;
    f.tried_as_often_as_it_may_be(id).await;

    let worker = f.start_worker(GRACE).await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    worker.stop().await;
    assert_eq!(f.counted(function, "failed", "platform_error").await, [Some(1), Some(1)]);
}

#[tokio::test]
async fn a_call_whose_workers_were_all_lost_is_counted_by_who_swept_up() {
    let f = Fixture::new().await;
    let (function, id) = f.waiting_call(NetworkAccess::None).await;
    let (lease, _) = f.claim_and_die().await;
    f.tried_as_often_as_it_may_be(id).await;
    f.expire(lease).await;

    let worker = f.start_worker(GRACE).await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    worker.stop().await;
    assert_eq!(f.counted(function, "failed", "worker_lost").await, [Some(1), Some(1)]);
}

#[tokio::test]
async fn a_call_that_was_cancelled_before_its_next_worker_ran_it_is_counted() {
    let f = Fixture::new().await;
    let (function, id) = f.waiting_call(NetworkAccess::None).await;
    let (lease, _) = f.claim_and_die().await;
    let mut tx = f.db.begin().await.unwrap();
    let cancelled = cancel::cancel(&mut tx, f.actor.tenant, id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(cancelled, Some(Cancelled::Asked));
    f.expire(lease).await;

    let worker = f.start_worker(GRACE).await;
    assert_eq!(f.final_status("execution", id.0).await, "cancelled");
    worker.stop().await;
    assert_eq!(f.counted(function, "cancelled", "cancelled").await, [Some(1), Some(1)]);
}
