//! Chaos: several real worker processes are killed, stopped and resumed, and Postgres is restarted
//! in immediate mode under them, while calls keep coming in. Afterwards every accepted call has
//! exactly one outcome, nothing is left over, and no limit was ever exceeded.
//!
//! `APPRUN_CHAOS_SECONDS` makes it longer; see `make chaos`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod calls;
mod no_op;
mod server;
mod trouble;
mod workers;

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    calls::{Calls, Tally},
    server::Server,
    workers::Workers,
};

/// With nothing coming in, and longer than a lease and a restart take, something must have ended.
const STUCK_AFTER: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_killed_every_call_ends_once_and_no_limit_is_exceeded() {
    let seconds = std::env::var("APPRUN_CHAOS_SECONDS").map_or(10, |text| text.parse().unwrap());
    let server = Server::start();
    let calls = Calls::prepare(&server.url()).await;
    let mut workers = Workers::start(&server.url(), 3);

    let until = Instant::now() + Duration::from_secs(seconds);
    let pushing: Vec<_> = (0..3).map(|_| tokio::spawn(calls.clone().push_until(until))).collect();
    let sampling = tokio::spawn(calls.clone().sample_limits());
    let mut restarts = 0;
    for step in 0.. {
        if Instant::now() >= until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(rand::random_range(100..900))).await;
        match step % 7 {
            0 | 2 | 4 => workers.kill_one(),
            // Up to well beyond the time that a lease lives.
            1 | 3 | 5 => workers.stop_one_for(Duration::from_millis(rand::random_range(500..6500))),
            _ => {
                server.restart_immediately();
                restarts += 1;
            }
        }
    }
    let mut accepted = 0;
    for pusher in pushing {
        accepted += pusher.await.unwrap();
    }
    let tally = all_ended(&calls).await;
    sampling.abort();
    println!("{} kills, {} stops, {restarts} restarts; {tally:?}", workers.kills, workers.stops);
    check(&tally, accepted);
    assert_eq!(calls.excesses(), Vec::<String>::new(), "limits held in every sample");
    assert!(calls.samples() > 0 && workers.kills > 0 && restarts > 0);
}

/// Waits until nothing is live, for as long as something ends now and then.
async fn all_ended(calls: &Calls) -> Tally {
    let (mut live, mut stuck_at) = (calls.live().await, Instant::now() + STUCK_AFTER);
    while live > 0 && Instant::now() < stuck_at {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let left = calls.live().await;
        if left < live {
            (live, stuck_at) = (left, Instant::now() + STUCK_AFTER);
        }
    }
    calls.tally().await
}

fn check(tally: &Tally, accepted: i64) {
    assert_eq!(tally.live, 0, "everything ends");
    assert_eq!(tally.accepted, tally.settled + tally.dead, "nothing is lost");
    assert!(tally.accepted >= accepted && accepted > 0, "what was answered with yes is there");
    assert_eq!(tally.outcomes, tally.accepted, "one outcome each");
}
