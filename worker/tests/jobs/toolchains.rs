//! Which worker builds what: nobody claims a build that it has no toolchain for.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use compiler::{Compiler, Fetches, Places, Toolchains};
use sandbox::Conditions;
use shared::{
    domain::{BuildId, FunctionId},
    queue::{CallLimits, FreeSlots, Rounds, open_lease},
    store::build_report,
};
use uuid::Uuid;

use crate::fixture::{Fixture, usual_cache};

const GO: &str = "package main\n\nfunc Handler(in int) (int, error) { return in + 1, nil }\n";
const RUST: &str = "pub fn handler(input: u64) -> Result<u64, String> {\n    Ok(input + 1)\n}\n";

impl Fixture {
    /// What the API shows of a build.
    async fn message(&self, function: FunctionId, build: BuildId) -> Option<String> {
        let mut tx = self.db.begin_for(self.actor.tenant).await.unwrap();
        let found = build_report::find(&mut tx, self.actor.tenant, function, build).await;
        found.unwrap().unwrap().message
    }

    async fn asks_for(&self, function: FunctionId, runtime: &str) -> Uuid {
        sqlx::query("update function_version set runtime = $2 where function_id = $1")
            .bind(function.0)
            .bind(runtime)
            .execute(&self.sql)
            .await
            .unwrap();
        self.build_of(function).await.0
    }
}

#[tokio::test]
async fn a_build_waits_and_says_so_until_a_worker_with_its_toolchain_starts() {
    let f = Fixture::new().await;
    let go_only = f.start_worker_without_rust().await;
    let waiting = f.create(RUST, 5).await;
    let build = f.build_of(waiting).await;
    // Sent later, so it was claimed past the one that waits.
    f.built(GO, 5).await;
    let message = f.message(waiting, build).await.unwrap();
    assert!(message.starts_with("no worker has rust: "), "{message}");
    assert!(message.contains("offer: go1."), "{message}");
    let job =
        "select coalesce(lease_id::text, 'ready') || redeliveries from q.job where subject_id = $1";
    assert_eq!(f.text(job, build.0).await.as_deref(), Some("ready0"));

    let both = f.start_worker(Duration::from_secs(1)).await;
    assert_eq!(f.final_status("build", build.0).await, "succeeded");
    assert_eq!(f.final_status("function", waiting.0).await, "active");
    go_only.stop().await;
    both.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

/// The usual caches, but that the one of Rust cannot be made ready: something is in its way, which is
/// returned.
async fn cache_without_rust(root: &Path) -> Vec<PathBuf> {
    let (found, usual) = (Toolchains::discover(&Places::from_environment()).await, usual_cache());
    Compiler::prepare(found, &usual, Fetches::default(), &Conditions::default()).await;
    let mut in_the_way = Vec::new();
    for entry in fs::read_dir(&usual).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("rust-") {
            in_the_way.push(root.join(format!(".{name}.lock")));
        }
        if !name.ends_with(".lock") {
            symlink(entry.path(), root.join(name)).unwrap();
        }
    }
    in_the_way.iter().for_each(|path| fs::create_dir(path).unwrap());
    in_the_way
}

#[tokio::test]
async fn a_language_that_cannot_be_made_ready_holds_up_no_other_and_is_tried_again() {
    let f = Fixture::new().await;
    let cache = tempfile::tempdir().unwrap();
    let in_the_way = cache_without_rust(cache.path()).await;
    let worker = f.start_worker_with_cache(cache.path()).await;
    let waiting = f.create(RUST, 5).await;
    let build = f.build_of(waiting).await;
    f.built(GO, 5).await;
    let message = f.message(waiting, build).await.unwrap();
    assert!(message.starts_with("no worker has rust: "), "{message}");

    in_the_way.iter().for_each(|path| fs::remove_dir(path).unwrap());
    assert_eq!(f.final_status("build", build.0).await, "succeeded");
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_claim_brings_builds_that_the_newest_toolchain_of_the_worker_serves() {
    let f = Fixture::new().await;
    let newer = f.create(GO, 5).await;
    let newer_build = f.asks_for(newer, "go1.30").await;
    let of_rust = f.create(RUST, 5).await;
    let served = f.create(GO, 5).await;
    let served_build = f.asks_for(served, "go1.29").await;
    let lease = open_lease(&f.db, &"one".into()).await.unwrap();
    let free = FreeSlots { executions: 0, background: 0, builds: 9 };
    let mut rounds = Rounds::new(CallLimits::default());
    let mut claim = async || {
        let claimed = rounds.claim(&f.db, lease, free).await.unwrap().jobs;
        claimed.iter().map(|job| job.subject).collect::<Vec<_>>()
    };
    assert!(claim().await.is_empty(), "it offers nothing");

    f.offer("another", &["go1.99"]).await;
    f.offer("one", &["go1.29"]).await;
    assert_eq!(claim().await, [served_build]);
    let said = f.message(newer, BuildId(newer_build)).await;
    assert_eq!(said, None, "another worker has it");
    let build = f.build_of(of_rust).await;
    assert!(f.message(of_rust, build).await.unwrap().contains("offer: go1.99"));

    f.offer("one", &["go1.30"]).await;
    assert_eq!(claim().await, [newer_build]);
}
