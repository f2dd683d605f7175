//! Prints how long a worker takes to have a binary at hand, verified and sealed: from its own cache, from
//! a directory, and from an S3 server on loopback, beside a plain read of a file of that size.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[allow(dead_code, reason = "only tests restart it and look into its bucket")]
#[path = "../../shared/tests/artifacts/server.rs"]
mod server;

use std::time::{Duration, Instant};

use server::{Server, settings};
use shared::{artifact::ArtifactStore, config::ArtifactLocation, metrics};
use worker::BinaryCache;

/// Of a hello function in Go.
const BINARY_BYTES: usize = 2_700_000;
const ROUNDS: usize = 100;
const CACHE_BYTES: u64 = 64 << 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.unwrap().block_on(run());
}

async fn run() {
    println!(
        "a binary of {:.1} MB, p50 and p99 of {ROUNDS}, milliseconds",
        BINARY_BYTES as f64 / 1e6
    );
    let scratch = tempfile::tempdir().unwrap();
    let plain = scratch.path().join("plain");
    std::fs::write(&plain, binary()).unwrap();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        assert_eq!(std::fs::read(&plain).unwrap().len(), BINARY_BYTES);
        times.push(started.elapsed());
    }
    print("a plain read of the file", times);

    let directory = ArtifactStore::open(scratch.path()).unwrap();
    print("from the worker's cache", loads(&directory, true).await);
    print("from a directory, verified", loads(&directory, false).await);

    let mut server = Server::start().await;
    let place = ArtifactLocation::S3 { bucket: "artifacts".to_owned(), prefix: "bench".to_owned() };
    let bucket = ArtifactStore::connect(&place, &settings(server.port())).await.unwrap();
    print("from S3 on loopback, verified", loads(&bucket, false).await);
    server.kill().await;
}

/// Every load with a cache of its own, or all with one that has it.
async fn loads(store: &ArtifactStore, is_cached: bool) -> Vec<Duration> {
    let sha256 = store.put(binary()).await.unwrap();
    let new_cache = || BinaryCache::new(store.clone(), CACHE_BYTES, metrics::Worker::default());
    let mut cache = new_cache();
    cache.get(sha256).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        if !is_cached {
            cache = new_cache();
        }
        let started = Instant::now();
        cache.get(sha256).await.unwrap();
        times.push(started.elapsed());
    }
    times
}

/// Nothing that a store could make smaller.
fn binary() -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..BINARY_BYTES).map(|_| next()).collect()
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    println!("{what:<34}{:>9.4}{:>9.4}", at(50), at(99));
}
