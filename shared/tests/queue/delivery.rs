//! Delivery: each claim settles once, nothing is lost, and the order of classes holds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{collections::HashSet, time::Duration};

use shared::queue::{
    self, Class, DeadJob, FreeSlots, GivenBack, JobKind, MAX_REDELIVERIES, SettleError,
};

use crate::fixture::{Fixture, PLENTY, rounds};

#[tokio::test]
async fn a_settled_job_is_gone_and_cannot_be_settled_again() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let job = q.claim_one(q.lease().await).await;
    q.settle(&job).await.unwrap();
    assert_eq!(q.live_jobs().await, 0);
    assert!(matches!(q.settle(&job).await, Err(SettleError::Stale)));
}

#[tokio::test]
async fn a_late_settle_changes_nothing() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let lost = q.lease().await;
    let first = q.claim_one(lost).await;
    q.expire(lost).await;
    assert_eq!(q.reap().await.returned, 1);
    let second = q.claim_one(q.lease().await).await;
    assert_eq!((second.attempt, second.redeliveries), (1, 1));

    assert!(matches!(q.settle(&first).await, Err(SettleError::Stale)));
    assert_eq!(q.live_jobs().await, 1);
    q.settle(&second).await.unwrap();
}

#[tokio::test]
async fn a_stale_claim_settled_among_others_leaves_its_job_to_the_new_holder() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let lost = q.lease().await;
    let first = q.claim_one(lost).await;
    q.expire(lost).await;
    q.reap().await;
    let second = q.claim_one(q.lease().await).await;
    q.push(Class::Async).await;
    let other = q.claim_one(q.lease().await).await;

    // Committed, unlike a single stale settle: the statement itself must spare the job.
    let mut tx = q.db.begin().await.unwrap();
    let settled = queue::settle_many(&mut tx, &[first.claim, other.claim]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(settled, HashSet::from([other.claim.token]));
    assert_eq!(q.live_jobs().await, 1);
    q.settle(&second).await.unwrap();
}

#[tokio::test]
async fn a_settle_that_is_rolled_back_leaves_the_job() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let job = q.claim_one(q.lease().await).await;
    let mut tx = q.db.begin().await.unwrap();
    queue::settle(&mut tx, job.claim).await.unwrap();
    tx.rollback().await.unwrap();
    q.settle(&job).await.unwrap();
}

#[tokio::test]
async fn urgent_classes_go_first_and_builds_have_their_own_count() {
    let q = Fixture::new().await;
    let build = q.push(Class::Build).await;
    let patient = q.push(Class::Async).await;
    let urgent = q.push(Class::Sync).await;
    let lease = q.lease().await;

    let one = FreeSlots { executions: 1, background: 1, builds: 0 };
    let one = q.claim(lease, one).await;
    assert_eq!(one.iter().map(|job| job.subject).collect::<Vec<_>>(), [urgent]);
    let rest = q.claim(lease, PLENTY).await;
    let rest: HashSet<_> = rest.iter().map(|job| job.subject).collect();
    assert_eq!(rest, HashSet::from([build, patient]));
}

#[tokio::test]
async fn many_claimers_never_get_the_same_job() {
    const JOBS: usize = 200;
    let q = Fixture::new().await;
    for _ in 0..JOBS {
        q.push(Class::Async).await;
    }
    let claimers = (0..4).map(|_| {
        let db = q.db.clone();
        tokio::spawn(async move {
            let lease = queue::open_lease(&db, &"test".into()).await.unwrap();
            let (mut mine, mut rounds) = (Vec::new(), rounds());
            loop {
                let free = FreeSlots { executions: 7, background: 7, builds: 0 };
                let jobs = rounds.claim(&db, lease, free).await.unwrap().jobs;
                if jobs.is_empty() {
                    return mine;
                }
                assert!(jobs.len() <= 7);
                mine.extend(jobs.into_iter().map(|job| job.subject));
            }
        })
    });
    let mut all = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), JOBS);
    assert_eq!(all.len(), all.iter().collect::<HashSet<_>>().len());
}

#[tokio::test]
async fn an_expired_lease_claims_nothing_and_cannot_be_extended() {
    let q = Fixture::new().await;
    q.push(Class::Sync).await;
    let lease = q.lease().await;
    q.expire(lease).await;
    assert!(q.claim(lease, PLENTY).await.is_empty());
    let beat = queue::beat(&q.db, lease).await.unwrap();
    assert!(!beat.alive && beat.leases_expired && beat.jobs_ready);
}

#[tokio::test]
async fn a_beat_tells_what_its_worker_did_for_as_long_as_the_lease_lives() {
    let q = Fixture::new().await;
    let lease = q.lease().await;
    assert!(queue::tallies(&q.db).await.unwrap().is_empty());
    q.push(Class::Async).await;
    let job = q.claim_one(lease).await;
    q.settle(&job).await.unwrap();
    queue::beat(&q.db, lease).await.unwrap();
    let tallies = queue::tallies(&q.db).await.unwrap();
    let of_async = tallies.iter().find(|tally| tally.class == Class::Async).unwrap();
    // Tests that run in the same process count too.
    assert!(of_async.claimed >= 1 && of_async.settled >= 1, "{of_async:?}");
    q.expire(lease).await;
    assert!(queue::tallies(&q.db).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_given_up() {
    let q = Fixture::new().await;
    let subject = q.push(Class::Async).await;
    for redelivery in 0..=MAX_REDELIVERIES {
        let lease = q.lease().await;
        assert_eq!(q.claim_one(lease).await.redeliveries, redelivery);
        q.expire(lease).await;
        let reaped = q.reap().await;
        assert_eq!(reaped.leases, 1);
        if redelivery == MAX_REDELIVERIES {
            assert_eq!(reaped.dead, [DeadJob { kind: JobKind::Execute, subject }]);
        } else {
            assert_eq!((reaped.returned, reaped.dead.len()), (1, 0));
        }
    }
    assert_eq!(q.live_jobs().await, 0);
}

#[tokio::test]
async fn a_released_lease_gives_its_jobs_back_without_counting() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let lease = q.lease().await;
    q.claim_one(lease).await;
    assert_eq!(queue::release_lease(&q.db, lease).await.unwrap(), 1);
    let again = q.claim_one(q.lease().await).await;
    assert_eq!((again.attempt, again.redeliveries), (1, 0));
}

#[tokio::test]
async fn a_job_given_back_waits_until_it_is_due() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let lease = q.lease().await;
    let job = q.claim_one(lease).await;
    let mut tx = q.db.begin().await.unwrap();
    let delay = Duration::from_secs(3600);
    assert_eq!(queue::give_back(&mut tx, job.claim, delay).await.unwrap(), GivenBack::Deferred);
    tx.commit().await.unwrap();
    assert_eq!(queue::promote_due(&q.db).await.unwrap(), 0);

    sqlx::query("update q.later set due_at = now()").execute(&q.sql).await.unwrap();
    assert!(queue::beat(&q.db, lease).await.unwrap().jobs_due);
    assert_eq!(queue::promote_due(&q.db).await.unwrap(), 1);
    let again = q.claim_one(lease).await;
    assert_eq!((again.subject, again.redeliveries), (job.subject, 1));
    assert!(matches!(q.settle(&job).await, Err(SettleError::Stale)));
}

#[tokio::test]
async fn a_job_put_off_counts_as_nobodys_failure() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let lease = q.lease().await;
    for _ in 0..=MAX_REDELIVERIES + 1 {
        let job = q.claim_one(lease).await;
        assert_eq!((job.attempt, job.redeliveries), (1, 0));
        let mut tx = q.db.begin().await.unwrap();
        queue::put_off(&mut tx, job.claim, Duration::ZERO).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(queue::promote_due(&q.db).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_job_given_back_too_often_is_dead() {
    let q = Fixture::new().await;
    q.push(Class::Async).await;
    let lease = q.lease().await;
    for redelivery in 0..=MAX_REDELIVERIES {
        let job = q.claim_one(lease).await;
        let mut tx = q.db.begin().await.unwrap();
        let given_back = queue::give_back(&mut tx, job.claim, Duration::ZERO).await.unwrap();
        tx.commit().await.unwrap();
        queue::promote_due(&q.db).await.unwrap();
        let expected =
            if redelivery == MAX_REDELIVERIES { GivenBack::Dead } else { GivenBack::Deferred };
        assert_eq!(given_back, expected);
    }
    assert_eq!(q.live_jobs().await, 0);
}
