//! The queue's promises, against a real Postgres: each claim settles once, nothing is lost, and the
//! order of classes holds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{collections::HashSet, time::Duration};

use shared::{
    domain::{FunctionId, ProjectId, RequestId, TenantId},
    queue::{
        self, ClaimedJob, Class, DeadJob, FreeSlots, GivenBack, JobKind, LeaseId, MAX_REDELIVERIES,
        NewJob, SettleError, Signals,
    },
    store::Db,
};
use sqlx::PgPool;
use test_support::TestDatabase;
use tokio::time::Instant;
use uuid::Uuid;

const PLENTY: FreeSlots = FreeSlots { executions: 1000, builds: 1000 };

struct Fixture {
    db: Db,
    sql: PgPool,
    database: TestDatabase,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 8).await.unwrap();
        Self { db, sql: database.pool().await, database }
    }

    async fn push(&self, class: Class) -> Uuid {
        let subject = Uuid::now_v7();
        let kind = if class == Class::Build { JobKind::Compile } else { JobKind::Execute };
        let mut tx = self.db.begin().await.unwrap();
        let job = NewJob {
            kind,
            class,
            subject,
            tenant: TenantId::new(),
            project: ProjectId::new(),
            function: FunctionId::new(),
            request: RequestId::new(),
        };
        queue::push(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        subject
    }

    async fn lease(&self) -> LeaseId {
        queue::open_lease(&self.db, "test").await.unwrap()
    }

    async fn claim_one(&self, lease: LeaseId) -> ClaimedJob {
        let mut jobs = queue::claim(&self.db, lease, PLENTY).await.unwrap();
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    async fn settle(&self, job: &ClaimedJob) -> Result<(), SettleError> {
        let mut tx = self.db.begin().await.unwrap();
        queue::settle(&mut tx, job.claim).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn expire(&self, lease: LeaseId) {
        sqlx::query("update q.lease set expires_at = now() - interval '1 second' where id = $1")
            .bind(lease.0)
            .execute(&self.sql)
            .await
            .unwrap();
    }

    async fn reap(&self) -> queue::Reaped {
        let mut tx = self.db.begin().await.unwrap();
        let reaped = queue::reap(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        reaped
    }

    async fn live_jobs(&self) -> i64 {
        sqlx::query_scalar("select count(*) from q.job").fetch_one(&self.sql).await.unwrap()
    }
}

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

    let one = queue::claim(&q.db, lease, FreeSlots { executions: 1, builds: 0 }).await.unwrap();
    assert_eq!(one.iter().map(|job| job.subject).collect::<Vec<_>>(), [urgent]);
    let rest = queue::claim(&q.db, lease, PLENTY).await.unwrap();
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
            let lease = queue::open_lease(&db, "test").await.unwrap();
            let mut mine = Vec::new();
            loop {
                let free = FreeSlots { executions: 7, builds: 0 };
                let jobs = queue::claim(&db, lease, free).await.unwrap();
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
    // SKIP LOCKED may end a claimer early, never give a job twice.
    assert_eq!(all.len(), all.iter().collect::<HashSet<_>>().len());
    let lease = q.lease().await;
    all.extend(queue::claim(&q.db, lease, PLENTY).await.unwrap().iter().map(|job| job.subject));
    assert_eq!(all.len(), JOBS);
}

#[tokio::test]
async fn an_expired_lease_claims_nothing_and_cannot_be_extended() {
    let q = Fixture::new().await;
    q.push(Class::Sync).await;
    let lease = q.lease().await;
    q.expire(lease).await;
    assert!(queue::claim(&q.db, lease, PLENTY).await.unwrap().is_empty());
    let beat = queue::beat(&q.db, lease).await.unwrap();
    assert!(!beat.alive && beat.leases_expired && beat.jobs_ready);
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

#[tokio::test]
async fn a_push_wakes_a_claimer_in_another_process() {
    let q = Fixture::new().await;
    let here = Signals::connect(q.database.url()).await.unwrap();
    let there = Signals::connect(q.database.url()).await.unwrap();
    here.jobs_pushed();
    there.jobs_waiting().await;
}

#[tokio::test]
async fn the_end_of_an_execution_wakes_everybody_who_watches_it() {
    let q = Fixture::new().await;
    let here = Signals::connect(q.database.url()).await.unwrap();
    let there = Signals::connect(q.database.url()).await.unwrap();
    let subject = Uuid::now_v7();
    let far = Instant::now() + Duration::from_secs(60);
    let (mut first, mut second) = (there.watch(subject), there.watch(subject));
    here.finished(subject);
    assert!(first.changed(far).await && second.changed(far).await);
}

#[tokio::test]
async fn a_watch_ends_at_its_deadline_and_looks_now_and_then_before() {
    let q = Fixture::new().await;
    let signals = Signals::connect(q.database.url()).await.unwrap();
    let mut watch = signals.watch(Uuid::now_v7());
    assert!(!watch.changed(Instant::now()).await);
    assert!(watch.changed(Instant::now() + Duration::from_secs(60)).await);
}
