//! The baseline: apalis-postgres 1.0.0 with no-op jobs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use tokio::{task::JoinSet, time::sleep};

use crate::{CLIENTS, RUN, row};

pub(crate) async fn print(url: &str) {
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(CLIENTS as u32 + 8);
    let pool: PgPool = options.connect(url).await.unwrap();
    PostgresStorage::setup(&pool).await.unwrap();
    let begun = Instant::now();
    let pushed = push(&pool, "bench-push").await;
    let rate = pushed as f64 / begun.elapsed().as_secs_f64();
    row("apalis-postgres 1.0.0: push, 64 clients", format!("{rate:.0} /s"), "");

    let (done, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let config = Config::default().queue("bench-through").batch_size(200);
    let backend = PostgresStorage::<usize>::new(&pool).with_config(config).with_pubsub();
    let counted = done.clone();
    let worker = WorkerBuilder::new("bench").backend(backend).build(move |_: usize| {
        counted.fetch_add(1, Relaxed);
        async {}
    });
    let working = tokio::spawn(worker.run());
    let pushed = push(&pool, "bench-through").await;
    while done.load(Relaxed) < pushed && begun.elapsed() < RUN * 10 {
        sleep(Duration::from_millis(1)).await;
    }
    let rate = done.load(Relaxed) as f64 / begun.elapsed().as_secs_f64();
    row(
        "apalis-postgres 1.0.0: push to handled, 64 clients, 1 worker, batches of 200",
        format!("{rate:.0} /s"),
        "",
    );
    working.abort();
}

async fn push(pool: &PgPool, queue: &str) -> usize {
    let (count, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let count = count.clone();
        let mut storage =
            PostgresStorage::<usize>::new(pool).with_config(Config::default().queue(queue));
        clients.spawn(async move {
            while begun.elapsed() < RUN {
                storage.push(1).await.unwrap();
                count.fetch_add(1, Relaxed);
            }
        });
    }
    clients.join_all().await;
    count.load(Relaxed)
}
