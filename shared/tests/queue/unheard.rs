//! Claims whose answer is lost on the way: the jobs are this worker's and it does not know them.

use shared::{
    queue::{self, Class, Rounds},
    store::Db,
};
use test_support::{Fault, Proxy};

use crate::fixture::{Fixture, PLENTY, rounds};

impl Fixture {
    /// A claim that the server carries out and nobody hears of.
    async fn claim_unheard(&self, lease: queue::LeaseId, rounds: &mut Rounds) {
        let proxy = Proxy::before(self.database.url()).await;
        let db = Db::connect(proxy.url(), 1).await.unwrap();
        // First its text goes over, and the claim itself once the server has answered that.
        rounds.claim(&db, lease, PLENTY).await.unwrap();
        self.push(Class::Async).await;
        proxy.arm(&["sqlx_s_"], Fault::CutAfter);
        rounds.claim(&db, lease, PLENTY).await.unwrap_err();
    }

    async fn running(&self) -> i64 {
        let running = "select count(*) from q.job where lease_id is not null";
        sqlx::query_scalar(running).fetch_one(&self.sql).await.unwrap()
    }
}

#[tokio::test]
async fn jobs_of_a_claim_that_nobody_heard_of_are_ready_again() {
    let q = Fixture::new().await;
    let (lease, mut rounds) = (q.lasting_lease().await, rounds());
    assert!(!rounds.is_unsure(lease));
    q.claim_unheard(lease, &mut rounds).await;
    assert_eq!(q.running().await, 1);

    assert!(rounds.is_unsure(lease) && !rounds.is_unsure(queue::LeaseId(lease.0 + 1)));
    assert_eq!(rounds.take_back_unheard(&q.db, lease, &[]).await.unwrap(), 1);
    assert!(!rounds.is_unsure(lease));
    let job = rounds.claim(&q.db, lease, PLENTY).await.unwrap().jobs.remove(0);
    assert_eq!((job.attempt, job.redeliveries), (1, 0), "nobody ran it");
    q.settle(&job).await.unwrap();
}

#[tokio::test]
async fn jobs_that_the_worker_knows_stay_its_own() {
    let q = Fixture::new().await;
    let (lease, mut rounds) = (q.lasting_lease().await, rounds());
    q.push(Class::Async).await;
    let known = rounds.claim(&q.db, lease, PLENTY).await.unwrap().jobs.remove(0);
    q.claim_unheard(lease, &mut rounds).await;
    assert_eq!(rounds.take_back_unheard(&q.db, lease, &[known.claim.token]).await.unwrap(), 1);
    q.settle(&known).await.unwrap();
}

#[tokio::test]
async fn a_claim_that_arrives_after_it_was_given_up_takes_nothing() {
    let q = Fixture::new().await;
    let (lease, mut rounds) = (q.lasting_lease().await, rounds());
    q.claim_unheard(lease, &mut rounds).await;
    let mut late = rounds.clone();
    let mut later = rounds.clone();
    rounds.take_back_unheard(&q.db, lease, &[]).await.unwrap();
    assert!(late.claim(&q.db, lease, PLENTY).await.unwrap().jobs.is_empty());

    let job = rounds.claim(&q.db, lease, PLENTY).await.unwrap().jobs.remove(0);
    assert_eq!(later.take_back_unheard(&q.db, lease, &[]).await.unwrap(), 0, "nor does this");
    q.settle(&job).await.unwrap();
}
