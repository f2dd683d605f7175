//! A tenant with functions that do a little, and real workers for them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use compiler::Places;
use sandbox::Conditions;
use shared::{
    artifact::ArtifactStore,
    config::{FetchSettings, Location, PayloadLimits, Retention, Secret},
    domain::{
        Actor, BuildId, Email, ExecutionId, ExecutionMode, FunctionId, FunctionName, JsonText,
        NetworkAccess, PersonName, Plan, ProjectName, RequestId, RetryPolicy, Role, Runtime,
        SourceBundle, SourceLimits, Trigger, Variables, VersionSettings,
    },
    metrics::Metrics,
    queue::{self, CallLimits, ClaimedJob, FreeSlots, JobKind, LeaseId, Rounds, Signals},
    seal::SecretKeys,
    store::{
        Db, account, call, deploy, project,
        secret::SecretChanges,
        toolchain::{self, Offer},
    },
};
use sqlx::PgPool;
use test_support::TestDatabase;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use worker::{BuilderOptions, Egress, Options, Worker};

pub(crate) const HELLO: &str = r#"package main

import "log"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	log.Print("greeting ", input["name"])
	return map[string]interface{}{"message": "Hello, " + input["name"].(string) + "!"}, nil
}
"#;

pub(crate) const SLEEPER: &str = r#"package main

import "time"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	time.Sleep(time.Hour)
	return nil, nil
}
"#;

pub(crate) const FAILER: &str = r#"package main

import "errors"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	return nil, errors.New("as always")
}
"#;

/// Rust that keeps its compiler busy until the build's limits.
pub(crate) const ENDLESS_BUILD: &str = r"#![allow(long_running_const_eval)]

const ENDLESS: u64 = {
    let mut count = 0u64;
    while count < u64::MAX {
        count += 1;
    }
    count
};

pub fn handler(_: ()) -> Result<u64, String> {
    Ok(ENDLESS)
}
";

/// A database with one tenant and project, and no worker yet.
pub(crate) struct Fixture {
    pub(crate) db: Db,
    pub(crate) sql: PgPool,
    pub(crate) signals: Signals,
    pub(crate) actor: Actor,
    pub(crate) project: shared::domain::ProjectId,
    pub(crate) artifacts: tempfile::TempDir,
    pub(crate) database: TestDatabase,
    /// Of all workers here together.
    pub(crate) metrics: Metrics,
}

/// What every worker here opens secrets with.
fn secret_keys() -> SecretKeys {
    SecretKeys::text_of([7; 32]).expose().parse().unwrap()
}

/// Made once on a machine, by whoever needs it first.
pub(crate) fn usual_cache() -> PathBuf {
    Path::new(&std::env::var("HOME").unwrap()).join(".cache/apprun")
}

pub(crate) struct RunningWorker {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl RunningWorker {
    async fn start(options: Options) -> Self {
        let worker = Worker::start(options).await.unwrap();
        let stop = CancellationToken::new();
        Self { running: tokio::spawn(worker.run(stop.clone())), stop }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 8).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let new = account::NewAccount {
            email: &"ada@example.com".parse::<Email>().unwrap(),
            name: &"Ada".parse::<PersonName>().unwrap(),
            password_hash: "none",
        };
        let actor = account::register(&mut tx, &new, Plan::Free).await.unwrap().unwrap();
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
            metrics: Metrics::new("test"),
        }
    }

    pub(crate) async fn start_worker(&self, grace: Duration) -> RunningWorker {
        self.start_worker_over(self.database.url(), "test", grace).await
    }

    /// A worker that lets functions out so far.
    pub(crate) async fn start_worker_with(
        &self,
        egress: Option<Egress>,
        grace: Duration,
    ) -> RunningWorker {
        let options = self.options(self.database.url(), "test", grace).await;
        RunningWorker::start(Options { egress, ..options }).await
    }

    /// A worker of this name that reaches the database this way.
    pub(crate) async fn start_worker_over(
        &self,
        url: &str,
        name: &str,
        grace: Duration,
    ) -> RunningWorker {
        RunningWorker::start(self.options(url, name, grace).await).await
    }

    /// A worker whose compilers keep their caches in this directory.
    pub(crate) async fn start_worker_with_cache(&self, cache: &Path) -> RunningWorker {
        let mut options = self.options(self.database.url(), "test", Duration::from_secs(1)).await;
        options.builder.cache_dir = cache.to_owned();
        RunningWorker::start(options).await
    }

    /// A worker that gets Go modules from there.
    pub(crate) async fn start_worker_with_proxy(&self, proxy: Location) -> RunningWorker {
        let mut options = self.options(self.database.url(), "test", Duration::from_secs(1)).await;
        options.builder.fetch.go_proxy = Some(proxy);
        RunningWorker::start(options).await
    }

    async fn options(&self, url: &str, name: &str, grace: Duration) -> Options {
        Options {
            db: Db::connect(url, 8).await.unwrap(),
            signals: Signals::connect(url).await.unwrap(),
            database_url: Secret::new(url),
            artifacts: ArtifactStore::open(self.artifacts.path()).unwrap(),
            call_slots: 2,
            callback_reach: shared::domain::Reach::default(),
            egress: None,
            call_limits: CallLimits::default(),
            payloads: PayloadLimits::default(),
            grace,
            retention: Retention::default(),
            kept_versions: 10,
            secret_keys: Some(secret_keys()),
            metrics: self.metrics.clone(),
            builder: BuilderOptions {
                places: Places::from_environment(),
                cache_dir: usual_cache(),
                fetch: FetchSettings::default(),
                slots: 1,
            },
            name: name.to_owned(),
            conditions: Conditions::default(),
        }
    }

    /// A worker whose calls may say this much.
    pub(crate) async fn start_worker_with_payloads(
        &self,
        payloads: PayloadLimits,
    ) -> RunningWorker {
        let options = self.options(self.database.url(), "test", Duration::from_secs(30)).await;
        RunningWorker::start(Options { payloads, ..options }).await
    }

    /// A worker that finds no toolchain but Go.
    pub(crate) async fn start_worker_without_rust(&self) -> RunningWorker {
        let mut options =
            self.options(self.database.url(), "go-only", Duration::from_secs(1)).await;
        options.builder.places.rust_root = Some(self.artifacts.path().to_owned());
        RunningWorker::start(options).await
    }

    pub(crate) async fn create(&self, source: &str, timeout_seconds: u32) -> FunctionId {
        self.create_with(source, timeout_seconds, Variables::new(), &[]).await
    }

    /// A function that can reach this much.
    pub(crate) async fn create_networked(
        &self,
        source: &str,
        network: NetworkAccess,
    ) -> FunctionId {
        self.create_changed(source, &[], |settings| settings.network = network).await
    }

    /// A function with variables and secrets.
    pub(crate) async fn create_with(
        &self,
        source: &str,
        timeout_seconds: u32,
        env: Variables,
        secrets: &[(&str, &str)],
    ) -> FunctionId {
        let change = |settings: &mut VersionSettings| {
            (settings.timeout_seconds, settings.env) = (timeout_seconds, env);
        };
        self.create_changed(source, secrets, change).await
    }

    async fn create_changed(
        &self,
        source: &str,
        secrets: &[(&str, &str)],
        change: impl FnOnce(&mut VersionSettings),
    ) -> FunctionId {
        let runtime = if source.starts_with("package") { "go1.21" } else { "rust" };
        let runtime: Runtime = runtime.parse().unwrap();
        let limits = SourceLimits { files: 10, total_bytes: 1 << 20 };
        let source = SourceBundle::from_text(runtime, source, limits).unwrap();
        self.create_from(&source, runtime, secrets, change).await
    }

    /// A Go function of several files.
    pub(crate) async fn create_go(&self, files: &[(&str, &str)]) -> FunctionId {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        let limits = SourceLimits { files: 10, total_bytes: 1 << 20 };
        let source = SourceBundle::from_files(files, limits).unwrap();
        self.create_from(&source, Runtime::Go { minor: 21 }, &[], |_| {}).await
    }

    async fn create_from(
        &self,
        source: &SourceBundle,
        runtime: Runtime,
        secrets: &[(&str, &str)],
        change: impl FnOnce(&mut VersionSettings),
    ) -> FunctionId {
        let id = FunctionId::new();
        let seal = |(name, value): &(&str, &str)| {
            (name.parse().unwrap(), secret_keys().seal(id, name, &Secret::new(*value)))
        };
        let mut settings = VersionSettings {
            runtime,
            timeout_seconds: 30,
            memory_mib: 128,
            network: NetworkAccess::None,
            trigger: Trigger::Http,
            events: Vec::new(),
            env: Variables::new(),
            retry: RetryPolicy::default(),
            max_concurrency: None,
        };
        change(&mut settings);
        let new = deploy::NewFunction {
            id,
            project: self.project,
            name: &format!("f{}", Uuid::now_v7().simple()).parse::<FunctionName>().unwrap(),
            description: None,
            settings: &settings,
            secrets: &SecretChanges {
                set: secrets.iter().map(seal).collect(),
                removed: Vec::new(),
            },
            source,
        };
        let mut tx = self.db.begin().await.unwrap();
        deploy::create(&mut tx, self.actor, RequestId::new().into(), &new).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        self.signals.jobs_pushed(JobKind::ALL);
        id
    }

    pub(crate) async fn call(&self, function: FunctionId, input: &str) -> ExecutionId {
        let id = ExecutionId::new();
        let mut tx = self.db.begin().await.unwrap();
        let call = call::NewCalls {
            calls: &[(id, JsonText::parse(input.to_owned()).unwrap())],
            function,
            least_role: Role::Viewer,
            mode: ExecutionMode::Async,
            cause: RequestId::new().into(),
            terms: call::Terms::default(),
        };
        let (_, accepted) = call::accept(&mut tx, self.actor, &call).await.unwrap().unwrap();
        assert!(accepted.is_some());
        tx.commit().await.unwrap();
        self.signals.jobs_pushed(JobKind::ALL);
        id
    }

    /// Waits until a status is one that does not change any more, and returns it.
    pub(crate) async fn final_status(&self, table: &str, id: Uuid) -> String {
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

    /// How many calls of a function ended so, as the workers counted them: by status, and by reason.
    pub(crate) async fn counted(
        &self,
        function: FunctionId,
        status: &str,
        reason: &str,
    ) -> [Option<u32>; 2] {
        let text = self.metrics.scrape(&self.db).await;
        let number = |series: String| {
            let of_series = |line: &str| line.strip_prefix(&series)?.trim().parse().ok();
            text.lines().find_map(of_series)
        };
        [
            format!(r#"functions_invocations_total{{function="{function}",status="{status}"}}"#),
            format!(r#"functions_errors_total{{reason="{reason}"}}"#),
        ]
        .map(number)
    }

    /// As if so many workers had failed at this job, or been lost with it, as one may.
    pub(crate) async fn tried_as_often_as_it_may_be(&self, id: ExecutionId) {
        sqlx::query("update q.job set redeliveries = $2 where subject_id = $1")
            .bind(id.0)
            .bind(queue::MAX_REDELIVERIES)
            .execute(&self.sql)
            .await
            .unwrap();
    }

    pub(crate) async fn until_running(&self, table: &str, id: Uuid) {
        let status = format!("select status from {table} where id = $1");
        let deadline = Instant::now() + Duration::from_secs(120);
        let mut watch = self.signals.watch(id);
        while self.text(&status, id).await.as_deref() != Some("running") {
            assert!(watch.changed(deadline).await, "too late");
        }
    }

    pub(crate) async fn build_of(&self, function: FunctionId) -> BuildId {
        let build = "select id from build where function_id = $1";
        BuildId(sqlx::query_scalar(build).bind(function.0).fetch_one(&self.sql).await.unwrap())
    }

    pub(crate) async fn text(&self, query: &str, id: Uuid) -> Option<String> {
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(id).fetch_one(&self.sql).await.unwrap()
    }

    pub(crate) async fn built(&self, source: &str, timeout_seconds: u32) -> FunctionId {
        let function = self.create(source, timeout_seconds).await;
        let build = self.build_of(function).await;
        assert_eq!(self.final_status("build", build.0).await, "succeeded");
        function
    }

    pub(crate) async fn live_jobs(&self) -> i64 {
        sqlx::query_scalar("select count(*) from q.job").fetch_one(&self.sql).await.unwrap()
    }

    /// What a worker does before it dies: a lease and a claim, and nobody who beats.
    pub(crate) async fn claim_and_die(&self) -> (LeaseId, ClaimedJob) {
        self.offer("dead", &["go1.21", "rust"]).await;
        let lease = queue::open_lease(&self.db, &"dead".into()).await.unwrap();
        let free = FreeSlots { executions: 1, background: 1, builds: 1 };
        let mut rounds = Rounds::new(CallLimits::default());
        let mut jobs = rounds.claim(&self.db, lease, free).await.unwrap().jobs;
        (lease, jobs.remove(0))
    }

    /// A worker of this name has these toolchains.
    pub(crate) async fn offer(&self, worker: &str, newest: &[&str]) {
        let offer = |it: &&str| Offer { newest: it.parse().unwrap(), version: (*it).to_owned() };
        let offers: Vec<_> = newest.iter().map(offer).collect();
        toolchain::offer(&self.db, worker, &offers).await.unwrap();
    }

    pub(crate) async fn expire(&self, lease: LeaseId) {
        sqlx::query("update q.lease set expires_at = now() where id = $1")
            .bind(lease.0)
            .execute(&self.sql)
            .await
            .unwrap();
    }
}
