//! The queue's promised numbers, next to what the same server gives to `pgbench` and to the storage
//! that ships with apalis, in the same run. `queue-bench <url of an empty database>`; see `run.sh`.

mod apalis_storage;
mod bounds;
mod ours;

use std::time::Duration;

/// Each rate is measured for this long.
const RUN: Duration = Duration::from_secs(4);
/// Each latency, over this many jobs.
const PICKUPS: usize = 400;
const CLIENTS: usize = 64;

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).expect("the url of an empty database");
    println!("| what | measured | promised |\n|---|---|---|");
    bounds::print(&url).await;
    let ours = ours::Queue::open(&url).await;
    // First, while there is nothing for Postgres to tidy up.
    let idle = ours.idle_transactions_per_second().await;
    row("idle database load of api and worker", format!("{idle:.1} tx/s"), "≤ 2 tx/s");
    let own = ours.enqueue_with_own_commits().await;
    row("enqueue, 64 clients, a commit each", format!("{own:.0} /s"), "");
    let batched = ours.enqueue_in_batches().await;
    row("enqueue, 64 clients, 100 calls a commit", format!("{batched:.0} /s"), "≥ 20,000 /s");
    let through = ours.enqueue_and_complete().await;
    row(
        "enqueue to durable completion of no-op jobs, 64 clients, 1 worker",
        format!("{:.0} /s", through.jobs_per_second),
        "≥ 20,000 /s",
    );
    row(
        "WAL of a job, from push to outcome",
        format!("{:.0} B", through.wal_bytes_per_job),
        "≤ 1,536 B",
    );
    let (p50, p99) = percentiles(ours.idle_pickup().await);
    row(
        "pickup when idle, push begun to claimed",
        format!("p50 {p50:.2} ms, p99 {p99:.2} ms"),
        "p50 ≤ 1, p99 ≤ 3 ms",
    );
    let (p50, p99) = percentiles(ours.quiet_tenant_under_flood().await);
    row(
        "the same of a quiet tenant, 200,000 jobs of another waiting",
        format!("p50 {p50:.2} ms, p99 {p99:.2} ms"),
        "p50 ≤ 10 ms",
    );
    apalis_storage::print(&url).await;
}

fn row(what: &str, measured: String, promised: &str) {
    println!("| {what} | {measured} | {promised} |");
}

/// The middle and the last but one in a hundred, in milliseconds.
fn percentiles(mut latencies: Vec<Duration>) -> (f64, f64) {
    latencies.sort();
    let at =
        |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_secs_f64() * 1000.0;
    (at(0.5), at(0.99))
}
