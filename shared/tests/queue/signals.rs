//! Wake-ups reach other processes, and the one who listens notices when it has gone deaf.

use std::time::Duration;

use shared::queue::{JobKind, Signals};
use test_support::Proxy;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_push_wakes_a_claimer_in_another_process() {
    let q = Fixture::new().await;
    let here = Signals::connect(q.database.url()).await.unwrap();
    let there = Signals::connect(q.database.url()).await.unwrap();
    here.jobs_pushed(&[JobKind::Execute]);
    there.jobs_waiting(JobKind::Execute).await;
}

#[tokio::test]
async fn who_waits_for_calls_is_not_woken_by_a_build_unless_nobody_said_what_was_pushed() {
    let q = Fixture::new().await;
    let here = Signals::connect(q.database.url()).await.unwrap();
    let there = Signals::connect(q.database.url()).await.unwrap();
    here.jobs_pushed(&[JobKind::Compile]);
    there.jobs_waiting(JobKind::Compile).await;
    let calls = timeout(Duration::ZERO, there.jobs_waiting(JobKind::Execute)).await;
    assert!(calls.is_err(), "woken for nothing");
    // As a process of an older version says it.
    sqlx::query("select pg_notify('apprun_jobs', '')").execute(&q.sql).await.unwrap();
    there.jobs_waiting(JobKind::Execute).await;
    there.jobs_waiting(JobKind::Compile).await;
}

#[tokio::test]
async fn what_a_process_tells_itself_needs_no_database() {
    let q = Fixture::new().await;
    let proxy = Proxy::before(q.database.url()).await;
    let here = Signals::connect(proxy.url()).await.unwrap();
    proxy.silence();
    let subject = Uuid::now_v7();
    let (mut watch, mut cancels) = (here.watch(subject), here.cancel_requests());
    here.jobs_pushed(&[JobKind::Execute]);
    here.jobs_waiting(JobKind::Execute).await;
    here.cancel_requested(subject);
    assert_eq!(cancels.recv().await.unwrap(), subject);
    here.finished(subject);
    assert!(watch.changed(Instant::now() + Duration::from_secs(60)).await);
}

#[tokio::test]
async fn closing_says_what_is_left_to_say_and_leaves_no_connection() {
    let q = Fixture::new().await;
    let there = Signals::connect(q.database.url()).await.unwrap();
    let here = Signals::connect(q.database.url()).await.unwrap();
    let subject = Uuid::now_v7();
    let mut heard = there.cancel_requests();
    here.cancel_requested(subject);
    here.close().await;
    assert_eq!(heard.recv().await.unwrap(), subject);
    there.close().await;
    let connections = "select count(*) from pg_stat_activity
                       where datname = current_database() and query ~* 'listen|pg_notify'
                         and query not like '%pg_stat_activity%'";
    while sqlx::query_scalar::<_, i64>(connections).fetch_one(&q.sql).await.unwrap() > 0 {
        tokio::task::yield_now().await;
    }
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

#[tokio::test]
async fn an_ear_on_a_half_open_connection_is_replaced() {
    let q = Fixture::new().await;
    let proxy = Proxy::before(q.database.url()).await;
    let here = Signals::connect(q.database.url()).await.unwrap();
    let echo_every = Duration::from_millis(100);
    let there = Signals::connect_echoing(proxy.url(), echo_every).await.unwrap();
    here.jobs_pushed(&[JobKind::Execute]);
    there.jobs_waiting(JobKind::Execute).await;

    proxy.silence();
    // First everybody is told to look for themselves, then hints arrive again.
    there.jobs_waiting(JobKind::Execute).await;
    let subject = Uuid::now_v7();
    let mut watch = there.watch(subject);
    let mut heard = there.cancel_requests();
    loop {
        here.cancel_requested(subject);
        tokio::select! {
            request = heard.recv() => break assert_eq!(request.unwrap(), subject),
            _ = watch.changed(Instant::now() + echo_every) => {}
        }
    }
}
