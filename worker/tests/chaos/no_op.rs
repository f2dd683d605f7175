//! A worker without sandboxes: the real leases, claims and settles around a program that only
//! sleeps. The test binary starts itself anew to be one, see `workers.rs`.

use std::time::Duration;

use shared::{
    domain::ExecutionId,
    queue::{CallLimits, Signals},
    store::{
        Db,
        execution::{self, FinishedExecution},
    },
};
use tokio_util::sync::CancellationToken;
use worker::{Assignment, Puller, Slots, through_trouble};

/// Where a worker process finds its database.
pub(crate) const URL: &str = "APPRUN_CHAOS_WORKER_URL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: the worker process that the chaos test starts many times"]
async fn worker_process() {
    let url = std::env::var(URL).unwrap();
    let db = patiently(async || Db::connect(&url, 6).await).await;
    let beats = patiently(async || Db::connect(&url, 1).await).await;
    let signals = patiently(async || Signals::connect(&url).await).await;
    let puller = Puller {
        db: db.clone(),
        beats,
        signals: signals.clone(),
        slots: Slots::new(8, shared::metrics::Worker::default()),
        call_limits: CallLimits::default(),
        grace: Duration::from_secs(5),
        worker: "chaos".into(),
        calls: shared::metrics::Metrics::new("chaos").functions,
    };
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_terminate(stop.clone()));
    puller
        .run(stop, move |assignment| sleep_and_record(db.clone(), signals.clone(), assignment))
        .await;
}

async fn stop_on_terminate(stop: CancellationToken) {
    let terminate = tokio::signal::unix::SignalKind::terminate();
    tokio::signal::unix::signal(terminate).unwrap().recv().await;
    stop.cancel();
}

/// The database may be restarting at this very moment.
async fn patiently<T, E: std::fmt::Debug>(connect: impl AsyncFn() -> Result<T, E>) -> T {
    loop {
        match connect().await {
            Ok(connected) => return connected,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn sleep_and_record(db: Db, signals: Signals, assignment: Assignment) {
    let Assignment { job, held, stop, .. } = &assignment;
    let (id, tries) = (ExecutionId(job.subject), job.attempt + job.redeliveries);
    let worker = "no-op".into();
    let start = || execution::start(&db, id, tries, &worker);
    let Ok(Some(call)) = through_trouble(held, start).await else { return };
    let nap = Duration::from_millis(rand::random_range(1..20));
    tokio::select! {
        () = tokio::time::sleep(nap) => {}
        () = stop.cancelled() => {}
    }
    if held.lost.is_cancelled() {
        return;
    }
    let finished = FinishedExecution {
        reason: None,
        output: Some("{}".to_owned()),
        error_message: None,
        setup: Duration::ZERO,
        run: nap,
        cpu: Duration::ZERO,
        peak_memory_bytes: 0,
        exit_status: Some(0),
        signal: None,
        log: Vec::new(),
        log_truncated: false,
    };
    let record = || execution::settle(&db, job.claim, &call, tries, &finished);
    if through_trouble(held, record).await.is_ok() {
        signals.finished(job.subject);
    }
}
