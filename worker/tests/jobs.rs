//! Jobs from claim to outcome, with a real Postgres, real compilers and real sandboxes; and the
//! same end state when a worker is lost on the way.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::time::Duration;

use compiler::Places;
use shared::{
    artifact::ArtifactStore,
    domain::{
        Actor, Email, ExecutionId, ExecutionMode, FunctionId, FunctionName, JsonText, PersonName,
        Plan, ProjectName, RequestId, Runtime, SourceBundle, SourceLimits, Trigger,
    },
    queue::{self, CallLimits, ClaimedJob, FreeSlots, LeaseId, Rounds, SettleError, Signals},
    store::{self, Db, account, call, execution, function, project},
};
use sqlx::PgPool;
use test_support::TestDatabase;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::{BuilderOptions, Options, Worker};

const HELLO: &str = r#"package main

import "log"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	log.Print("greeting ", input["name"])
	return map[string]interface{}{"message": "Hello, " + input["name"].(string) + "!"}, nil
}
"#;

const SLEEPER: &str = r#"package main

import "time"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	time.Sleep(time.Hour)
	return nil, nil
}
"#;

/// A database with one tenant and project, and no worker yet.
struct Fixture {
    db: Db,
    sql: PgPool,
    signals: Signals,
    actor: Actor,
    project: shared::domain::ProjectId,
    artifacts: tempfile::TempDir,
    database: TestDatabase,
}

struct RunningWorker {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl RunningWorker {
    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 8).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let new = account::NewAccount {
            email: &"ada@example.com".parse::<Email>().unwrap(),
            name: &"Ada".parse::<PersonName>().unwrap(),
            password_hash: "none",
            plan: Plan::Free,
        };
        let actor = account::register(&mut tx, new).await.unwrap().unwrap();
        let name = "p".parse::<ProjectName>().unwrap();
        let (project, _) = project::create(&mut tx, actor, &name).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        Self {
            signals: Signals::connect(database.url()).await.unwrap(),
            sql: database.pool().await,
            artifacts: tempfile::tempdir().unwrap(),
            db,
            actor,
            project,
            database,
        }
    }

    async fn start_worker(&self, grace: Duration) -> RunningWorker {
        let home = std::env::var("HOME").unwrap();
        let options = Options {
            db: self.db.clone(),
            signals: self.signals.clone(),
            database_url: self.database.url().to_owned(),
            artifacts: ArtifactStore::open(self.artifacts.path()).unwrap(),
            call_slots: 2,
            call_limits: CallLimits::default(),
            grace,
            retention_days: 30,
            builder: BuilderOptions {
                places: Places::from_environment(),
                cache_dir: format!("{home}/.cache/apprun").into(),
                slots: 1,
            },
            name: "test".to_owned(),
        };
        let worker = Worker::start(options).await.unwrap();
        let stop = CancellationToken::new();
        RunningWorker { running: tokio::spawn(worker.run(stop.clone())), stop }
    }

    async fn create(&self, source: &str, timeout_seconds: u32) -> FunctionId {
        let runtime: Runtime = "go1.21".parse().unwrap();
        let limits = SourceLimits { files: 10, total_bytes: 1 << 20 };
        let mut tx = self.db.begin().await.unwrap();
        let new = function::NewFunction {
            project: self.project,
            name: &format!("f{}", Uuid::now_v7().simple()).parse::<FunctionName>().unwrap(),
            description: None,
            trigger: Trigger::Http,
            runtime,
            timeout_seconds,
            memory_mib: 128,
            source: &SourceBundle::from_text(runtime, source, limits).unwrap(),
        };
        let created =
            function::create(&mut tx, self.actor, RequestId::new(), &new).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        self.signals.jobs_pushed();
        created.id
    }

    async fn call(&self, function: FunctionId, input: &str) -> ExecutionId {
        let id = ExecutionId::new();
        let mut tx = self.db.begin().await.unwrap();
        let call = call::NewCall {
            id,
            function,
            mode: ExecutionMode::Async,
            input: &JsonText::parse(input.to_owned()).unwrap(),
            request: RequestId::new(),
        };
        assert!(call::accept(&mut tx, self.actor, call).await.unwrap());
        tx.commit().await.unwrap();
        self.signals.jobs_pushed();
        id
    }

    /// Waits until a status is one that does not change any more, and returns it.
    async fn final_status(&self, table: &str, id: Uuid) -> String {
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut watch = self.signals.watch(id);
        loop {
            let status = self.text(&format!("select status from {table} where id = $1"), id).await;
            match status.as_deref() {
                Some("pending" | "running") => assert!(watch.changed(deadline).await, "too late"),
                Some(_) => return status.unwrap(),
                None => panic!("no such row in {table}"),
            }
        }
    }

    async fn text(&self, query: &str, id: Uuid) -> Option<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(id).fetch_one(&self.sql).await.unwrap()
    }

    async fn built(&self, source: &str, timeout_seconds: u32) -> FunctionId {
        let function = self.create(source, timeout_seconds).await;
        let build = "select id from build where function_id = $1";
        let build: Uuid =
            sqlx::query_scalar(build).bind(function.0).fetch_one(&self.sql).await.unwrap();
        assert_eq!(self.final_status("build", build).await, "succeeded");
        function
    }

    async fn live_jobs(&self) -> i64 {
        sqlx::query_scalar("select count(*) from q.job").fetch_one(&self.sql).await.unwrap()
    }

    /// What a worker does before it dies: a lease and a claim, and nobody who beats.
    async fn claim_and_die(&self) -> (LeaseId, ClaimedJob) {
        let lease = queue::open_lease(&self.db, "dead").await.unwrap();
        let free = FreeSlots { executions: 1, background: 1, builds: 1 };
        let mut rounds = Rounds::new(CallLimits::default());
        let mut jobs = rounds.claim(&self.db, lease, free).await.unwrap().jobs;
        (lease, jobs.remove(0))
    }

    async fn expire(&self, lease: LeaseId) {
        sqlx::query("update q.lease set expires_at = now() where id = $1")
            .bind(lease.0)
            .execute(&self.sql)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_function_is_built_and_called() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(HELLO, 30).await;
    let id = f.call(function, r#"{"name":"you"}"#).await;

    assert_eq!(f.final_status("execution", id.0).await, "completed");
    let output = f.text("select output from execution where id = $1", id.0).await;
    assert_eq!(output.as_deref().map(str::trim), Some(r#"{"message":"Hello, you!"}"#));
    let log =
        "select string_agg(line, '|' order by seq) from execution_log where execution_id = $1";
    assert!(f.text(log, id.0).await.unwrap().contains("greeting you"));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn identical_source_is_not_compiled_again() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    f.built(HELLO, 30).await;
    let second = f.built(HELLO, 30).await;
    let cached = "select cached::text from build where function_id = $1";
    assert_eq!(f.text(cached, second.0).await.as_deref(), Some("true"));
    worker.stop().await;
}

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
    let mut watch = f.signals.watch(id.0);
    let status = "select status from execution where id = $1";
    while f.text(status, id.0).await.as_deref() != Some("running") {
        assert!(watch.changed(Instant::now() + Duration::from_secs(60)).await);
    }
    worker.stop().await;

    let job =
        "select coalesce(lease_id::text, 'ready') || redeliveries from q.job where subject_id = $1";
    assert_eq!(f.text(job, id.0).await.as_deref(), Some("ready0"));
    let leases: i64 =
        sqlx::query_scalar("select count(*) from q.lease").fetch_one(&f.sql).await.unwrap();
    assert_eq!(leases, 0);
}

#[tokio::test]
async fn a_call_that_runs_too_long_ends_as_timeout() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(SLEEPER, 1).await;
    let id = f.call(function, "{}").await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    let reason = "select reason from execution where id = $1";
    assert_eq!(f.text(reason, id.0).await.as_deref(), Some("timeout"));
    worker.stop().await;
}

#[tokio::test]
async fn source_that_does_not_compile_fails_the_function_with_the_compilers_words() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.create(&HELLO.replace("log.Print", "log.Prnt"), 30).await;
    assert_eq!(f.final_status("function", function.0).await, "failed");
    let build = "select reason || ': ' || message from build where function_id = $1";
    let said = f.text(build, function.0).await.unwrap();
    assert!(said.starts_with("compile_error: ") && said.contains("log.Prnt"), "{said}");
    worker.stop().await;
}

const FAILER: &str = r#"package main

import "errors"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	return nil, errors.New("as always")
}
"#;

#[tokio::test]
async fn a_running_call_is_cancelled_within_a_second_and_its_process_is_gone() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(SLEEPER, 300).await;
    let id = f.call(function, "{}").await;
    let status = "select status from execution where id = $1";
    let mut watch = f.signals.watch(id.0);
    while f.text(status, id.0).await.as_deref() != Some("running") {
        assert!(watch.changed(Instant::now() + Duration::from_secs(60)).await);
    }
    let mut tx = f.db.begin().await.unwrap();
    let cancelled = store::cancel::cancel(&mut tx, f.actor.tenant, id).await.unwrap();
    assert_eq!(cancelled, Some(store::cancel::Cancelled::Asked));
    tx.commit().await.unwrap();
    // No signal is sent: the beat alone finds it.
    assert_eq!(f.final_status("execution", id.0).await, "cancelled");
    let took =
        "select (completed_at - started_at < '30 seconds')::text from execution where id = $1";
    assert_eq!(f.text(took, id.0).await.as_deref(), Some("true"));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_failing_call_is_tried_again_as_its_policy_says_and_ends_as_a_dead_letter() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.built(FAILER, 30).await;
    sqlx::query("update function_version set max_retries = 2, retry_initial_delay_ms = 1")
        .execute(&f.sql)
        .await
        .unwrap();
    let id = f.call(function, "{}").await;
    assert_eq!(f.final_status("execution", id.0).await, "failed");
    let end = "select reason || ' ' || attempt || ' ' || dead_letter from execution where id = $1";
    assert_eq!(f.text(end, id.0).await.as_deref(), Some("function_error 3 true"));
    worker.stop().await;
}
