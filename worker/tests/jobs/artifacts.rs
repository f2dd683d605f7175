//! Builds of the same source, however many ask for them.

use std::time::Duration;

use crate::fixture::Fixture;

const SOURCE: &str = "package main\n\nfunc Handler(in int) (int, error) { return in + 1, nil }\n";

#[tokio::test]
async fn one_key_is_built_once_by_whoever_is_first() {
    let fixture = Fixture::new().await;
    let mut functions = Vec::new();
    for _ in 0..4 {
        functions.push(fixture.create(SOURCE, 5).await);
    }
    let grace = Duration::from_secs(1);
    let one = fixture.start_worker_over(fixture.database.url(), "one", grace).await;
    let two = fixture.start_worker_over(fixture.database.url(), "two", grace).await;
    for function in functions {
        let build = fixture.build_of(function).await;
        assert_eq!(fixture.final_status("build", build.0).await, "succeeded");
    }
    let built = sqlx::query_scalar::<_, i64>("select count(*) from build where not cached");
    assert_eq!(built.fetch_one(&fixture.sql).await.unwrap(), 1);
    let offers = sqlx::query_scalar::<_, i64>("select count(*) from toolchain_offer");
    assert_eq!(offers.fetch_one(&fixture.sql).await.unwrap(), 4, "two workers, two languages");
    one.stop().await;
    two.stop().await;
    let offers = sqlx::query_scalar::<_, i64>("select count(*) from toolchain_offer");
    assert_eq!(offers.fetch_one(&fixture.sql).await.unwrap(), 0, "taken back at the end");
}

#[tokio::test]
async fn calls_do_not_wait_behind_fifty_builds() {
    let fixture = Fixture::new().await;
    let worker = fixture.start_worker(Duration::from_secs(1)).await;
    let function = fixture.built(SOURCE, 5).await;
    for number in 0..50 {
        fixture.create(&SOURCE.replace("in + 1", &format!("in + {number} + 1000")), 5).await;
    }
    for _ in 0..5 {
        let call = fixture.call(function, "1").await;
        assert_eq!(fixture.final_status("execution", call.0).await, "completed");
    }
    let waiting =
        sqlx::query_scalar::<_, i64>("select count(*) from build where status = 'pending'");
    assert!(waiting.fetch_one(&fixture.sql).await.unwrap() > 0, "all builds were done first");
    worker.stop().await;
}

/// How many binaries the store holds.
fn stored(fixture: &Fixture) -> usize {
    let folders = std::fs::read_dir(fixture.artifacts.path()).unwrap();
    folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}

fn lose_everything(fixture: &Fixture) {
    for folder in std::fs::read_dir(fixture.artifacts.path()).unwrap() {
        std::fs::remove_dir_all(folder.unwrap().path()).unwrap();
    }
}

#[tokio::test]
async fn a_binary_that_the_store_lost_is_built_again_for_the_calls_that_wait() {
    let fixture = Fixture::new().await;
    let worker = fixture.start_worker(Duration::from_secs(1)).await;
    let function = fixture.built(SOURCE, 5).await;
    worker.stop().await;
    lose_everything(&fixture);

    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(fixture.call(function, "1").await);
    }
    let worker = fixture.start_worker(Duration::from_secs(1)).await;
    for call in calls {
        assert_eq!(fixture.final_status("execution", call.0).await, "completed");
    }
    assert_eq!(stored(&fixture), 1);
    let builds = sqlx::query_scalar::<_, String>("select status from build");
    let builds = builds.fetch_all(&fixture.sql).await.unwrap();
    assert_eq!(builds, ["succeeded", "succeeded"], "one more, for all three");
    let current = sqlx::query_scalar::<_, i32>("select current_version from function");
    assert_eq!(current.fetch_one(&fixture.sql).await.unwrap(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_worker_remembers_is_no_reason_not_to_build() {
    let fixture = Fixture::new().await;
    let worker = fixture.start_worker(Duration::from_secs(1)).await;
    let function = fixture.built(SOURCE, 5).await;
    let call = fixture.call(function, "1").await;
    assert_eq!(fixture.final_status("execution", call.0).await, "completed");
    lose_everything(&fixture);
    fixture.built(SOURCE, 5).await;
    assert_eq!(stored(&fixture), 1);
    worker.stop().await;
}
