//! Trouble with the database that passes, one sort at a time, under load: no worker ends and no call
//! is lost. And a restart of all workers, which is no trouble at all.

use std::time::Duration;

use tokio::{task::JoinHandle, time::Instant};

use crate::{
    all_ended,
    calls::{Calls, Tally},
    check,
    server::Server,
    workers::Workers,
};

/// How long calls come in; the trouble lies in between.
const LOAD: Duration = Duration::from_secs(4);

/// A server, workers and calls that come in for `LOAD` and as long as the trouble takes.
struct Scene {
    server: Server,
    workers: Workers,
    calls: Calls,
    pushing: JoinHandle<i64>,
}

impl Scene {
    async fn start(server: Server, trouble: Duration) -> Self {
        let calls = Calls::prepare(&server.url()).await;
        let workers = Workers::start(&server.url(), 2);
        let pushing = tokio::spawn(calls.clone().push_until(Instant::now() + trouble + LOAD));
        // Into the middle of the load.
        while calls.tally().await.settled < 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { server, workers, calls, pushing }
    }

    async fn end(mut self) -> Tally {
        let accepted = self.pushing.await.unwrap();
        let tally = all_ended(&self.calls).await;
        println!("{tally:?}");
        check(&tally, accepted);
        assert!(self.workers.all_live(), "no worker ends");
        tally
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_for_ten_seconds_costs_no_call_and_no_worker() {
    let pause = Duration::from_secs(10);
    let scene = Scene::start(Server::start(), pause).await;
    let paused = scene.server.pause();
    tokio::time::sleep(pause).await;
    drop(paused);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pools_that_are_exhausted_for_a_while_cost_no_call_and_no_worker() {
    // Longer than anybody waits for a connection, so that waiting in vain is part of it.
    let locked = Duration::from_secs(8);
    let scene = Scene::start(Server::start(), locked).await;
    let lock = scene.calls.lock_queue().await;
    tokio::time::sleep(locked).await;
    lock.rollback().await.unwrap();
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_a_while_costs_no_call_and_no_worker() {
    let full = Duration::from_secs(4);
    let scene = Scene::start(Server::start_on_small_disk(), full).await;
    let before = scene.calls.tally().await.accepted;
    scene.server.fill_disk();
    tokio::time::sleep(full).await;
    scene.server.free_disk();
    let tally = scene.end().await;
    assert!(tally.accepted > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_all_workers_loses_nothing_and_repeats_nothing() {
    let mut scene = Scene::start(Server::start(), Duration::ZERO).await;
    while !scene.pushing.is_finished() {
        scene.workers.replace_all_in_order(&scene.calls).await;
    }
    assert_eq!(scene.end().await.repeated, 0);
}
