//! The queue of `shared::queue`, over the statements that api and worker use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use shared::{
    domain::{FunctionId, RequestId, TenantId},
    queue::{
        self, CallLimits, Class, FreeSlots, JobKind, LeaseId, NewJob, Rounds, Signals,
    },
    store::Db,
};
use sqlx::PgPool;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::{Puller, Slots};

use crate::{CLIENTS, PICKUPS, RUN};

const TENANTS: u64 = 50;
/// As many calls as `invoke-batch` takes.
const BATCH: usize = 100;

#[derive(Clone)]
pub(crate) struct Queue {
    url: String,
    db: Db,
    sql: PgPool,
}

pub(crate) struct Through {
    pub(crate) jobs_per_second: f64,
    pub(crate) wal_bytes_per_job: f64,
}

fn job_of(number: u64) -> NewJob {
    let owner = Uuid::from_u64_pair(0x7000 << 32, number);
    NewJob {
        kind: JobKind::Execute,
        class: Class::Async,
        subject: Uuid::now_v7(),
        tenant: TenantId(owner),
        function: FunctionId(owner),
        request: RequestId::new(),
    }
}

fn calls(slots: u32) -> FreeSlots {
    FreeSlots { executions: slots, background: slots, builds: 0 }
}

impl Queue {
    pub(crate) async fn open(url: &str) -> Self {
        let db = Db::connect(url, CLIENTS as u32 + 8).await.unwrap();
        db.migrate().await.unwrap();
        let sql = PgPool::connect(url).await.unwrap();
        let outcome = "create table bench_outcome (subject uuid not null, token bigint not null, at timestamptz not null default now())";
        sqlx::query(outcome).execute(&sql).await.unwrap();
        Self { url: url.to_owned(), db, sql }
    }

    async fn clear(&self) {
        sqlx::raw_sql("truncate q.job; checkpoint").execute(&self.sql).await.unwrap();
    }

    /// A lease that needs no beats.
    async fn lease(&self) -> LeaseId {
        let lease = queue::open_lease(&self.db, &"bench".into()).await.unwrap();
        sqlx::query("update q.lease set expires_at = now() + interval '1 hour'")
            .execute(&self.sql)
            .await
            .unwrap();
        lease
    }

    async fn push(&self, job: NewJob) {
        let mut tx = self.db.begin().await.unwrap();
        queue::push(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// As a batch of calls is accepted: all of them in one transaction.
    async fn push_batch(&self, client: u64) {
        let jobs: Vec<_> = (0..BATCH).map(|_| job_of(client % TENANTS)).collect();
        let mut tx = self.db.begin().await.unwrap();
        queue::push_many(&mut tx, &jobs).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn enqueue_with_own_commits(&self) -> f64 {
        self.clear().await;
        let (count, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS as u64 {
            let (queue, count) = (self.clone(), count.clone());
            clients.spawn(async move {
                while begun.elapsed() < RUN {
                    queue.push(job_of(client % TENANTS)).await;
                    count.fetch_add(1, Relaxed);
                }
            });
        }
        clients.join_all().await;
        count.load(Relaxed) as f64 / begun.elapsed().as_secs_f64()
    }

    /// How many were enqueued.
    async fn enqueue_for(&self, time: Duration) -> usize {
        let (count, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS as u64 {
            let (queue, count) = (self.clone(), count.clone());
            clients.spawn(async move {
                while begun.elapsed() < time {
                    queue.push_batch(client).await;
                    count.fetch_add(BATCH, Relaxed);
                }
            });
        }
        clients.join_all().await;
        count.load(Relaxed)
    }

    pub(crate) async fn enqueue_in_batches(&self) -> f64 {
        self.clear().await;
        let begun = Instant::now();
        self.enqueue_for(RUN).await as f64 / begun.elapsed().as_secs_f64()
    }

    pub(crate) async fn enqueue_and_complete(&self) -> Through {
        self.clear().await;
        let (begun, wal) = (Instant::now(), self.wal_bytes().await);
        let done = Arc::new(AtomicUsize::new(0));
        let working = tokio::spawn(self.clone().work(800, done.clone(), |_| {}));
        let pushed = self.enqueue_for(RUN).await;
        while done.load(Relaxed) < pushed {
            sleep(Duration::from_millis(1)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        working.abort();
        let wal = self.wal_bytes().await - wal;
        Through {
            jobs_per_second: pushed as f64 / seconds,
            wal_bytes_per_job: wal as f64 / pushed as f64,
        }
    }

    /// A worker of no-op jobs: claims while what it claimed before is being settled.
    async fn work(self, slots: u32, done: Arc<AtomicUsize>, on_claim: impl Fn(Uuid) + Send) {
        let (claimed, mut to_settle) = mpsc::channel::<Vec<queue::ClaimedJob>>(2);
        let settler = self.clone();
        let settling = tokio::spawn(async move {
            while let Some(mut jobs) = to_settle.recv().await {
                while let Ok(more) = to_settle.try_recv() {
                    jobs.extend(more);
                }
                settler.settle(&jobs).await;
                done.fetch_add(jobs.len(), Relaxed);
            }
        });
        let (mut rounds, lease) = (Rounds::new(CallLimits::default()), self.lease().await);
        while !settling.is_finished() {
            let jobs = rounds.claim(&self.db, lease, calls(slots)).await.unwrap().jobs;
            jobs.iter().for_each(|job| on_claim(job.subject));
            match jobs.is_empty() {
                true => sleep(Duration::from_micros(500)).await,
                false => claimed.send(jobs).await.unwrap(),
            }
        }
    }

    /// Outcomes and ends of the jobs in one transaction.
    async fn settle(&self, jobs: &[queue::ClaimedJob]) {
        let claims: Vec<_> = jobs.iter().map(|job| job.claim).collect();
        let mut tx = self.db.begin().await.unwrap();
        let settled = queue::settle_many(&mut tx, &claims).await.unwrap();
        let (subjects, tokens): (Vec<_>, Vec<_>) = jobs
            .iter()
            .filter(|job| settled.contains(&job.claim.token))
            .map(|job| (job.subject, job.claim.token))
            .unzip();
        sqlx::query("insert into bench_outcome (subject, token) select * from unnest($1::uuid[], $2::bigint[])")
            .bind(subjects)
            .bind(tokens)
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn idle_pickup(&self) -> Vec<Duration> {
        self.clear().await;
        let here = Signals::connect(&self.url).await.unwrap();
        let there = Signals::connect(&self.url).await.unwrap();
        let (picked, mut pickups) = mpsc::channel(1);
        let queue = self.clone();
        let working = tokio::spawn(async move {
            let (mut rounds, lease) = (Rounds::new(CallLimits::default()), queue.lease().await);
            loop {
                there.jobs_waiting(JobKind::Execute).await;
                let jobs = rounds.claim(&queue.db, lease, calls(4)).await.unwrap().jobs;
                if !jobs.is_empty() {
                    picked.send(Instant::now()).await.unwrap();
                    queue.settle(&jobs).await;
                }
            }
        });
        let mut latencies = Vec::with_capacity(PICKUPS);
        for number in 0..PICKUPS as u64 {
            sleep(Duration::from_millis(5 + number % 17)).await;
            let begun = Instant::now();
            self.push(job_of(1)).await;
            here.jobs_pushed(&[JobKind::Execute]);
            latencies.push(pickups.recv().await.unwrap() - begun);
        }
        working.abort();
        latencies
    }

    pub(crate) async fn quiet_tenant_under_flood(&self) -> Vec<Duration> {
        self.clear().await;
        let flood =
            "insert into q.job (kind, subject_id, class, tenant_id, function_id, request_id)
                     select 'execute', gen_random_uuid(), 1, t, t, t
                     from (select gen_random_uuid()) flood (t), generate_series(1, 200000)";
        sqlx::query(flood).execute(&self.sql).await.unwrap();
        let (picked, mut pickups) = mpsc::unbounded_channel();
        let done = Arc::new(AtomicUsize::new(0));
        let on_claim = move |subject| {
            let _ = picked.send((subject, Instant::now()));
        };
        let working = tokio::spawn(self.clone().work(64, done.clone(), on_claim));
        let mut latencies = Vec::new();
        while done.load(Relaxed) < 150_000 && latencies.len() < PICKUPS {
            sleep(Duration::from_millis(10)).await;
            let (job, begun) = (job_of(1), Instant::now());
            self.push(job).await;
            loop {
                let (subject, at) = pickups.recv().await.unwrap();
                if subject == job.subject {
                    break latencies.push(at - begun);
                }
            }
        }
        working.abort();
        latencies
    }

    pub(crate) async fn idle_transactions_per_second(&self) -> f64 {
        self.clear().await;
        let _api = Signals::connect(&self.url).await.unwrap();
        let signals = Signals::connect(&self.url).await.unwrap();
        let puller = Puller {
            db: self.db.clone(),
            beats: Db::connect(&self.url, 1).await.unwrap(),
            signals,
            slots: Slots::new(4, shared::metrics::Worker::default()),
            call_limits: CallLimits::default(),
            grace: Duration::ZERO,
            worker: "bench".into(),
            calls: shared::metrics::Metrics::new("bench").functions,
        };
        let stop = CancellationToken::new();
        let pulling = tokio::spawn(puller.run(stop.clone(), async |_| {}));
        // Idle sessions report within ten seconds what they did before.
        sleep(Duration::from_secs(12)).await;
        let (begun, before) = (Instant::now(), self.transactions().await);
        sleep(Duration::from_secs(20)).await;
        let count = self.transactions().await - before;
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        stop.cancel();
        pulling.await.unwrap();
        rate
    }

    /// Of everybody in this database, as reported by now.
    async fn transactions(&self) -> i64 {
        let count = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
        sqlx::query_scalar(count).fetch_one(&self.sql).await.unwrap()
    }

    async fn wal_bytes(&self) -> i64 {
        let bytes = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
        sqlx::query_scalar(bytes).fetch_one(&self.sql).await.unwrap()
    }
}
