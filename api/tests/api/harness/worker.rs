//! A worker's part: claims jobs and records outcomes that the test chooses, through the same
//! functions that a worker uses.

use std::time::Duration;

use shared::{
    domain::{BuildId, ExecutionId, LogStream, Reason, log_level},
    queue::{CallLimits, ClaimedJob, FreeSlots, JobKind, Rounds, open_lease, settle},
    store::{
        build::{self, Artifact, BuildFailure, FinishedBuild},
        commit,
        execution::{self, FinishedExecution, LogLine, StartedExecution},
        toolchain::{self, Offer},
    },
};
use time::OffsetDateTime;

use super::App;

/// How a call ends when nothing else is said.
pub(crate) fn completed(output: &str) -> FinishedExecution {
    FinishedExecution {
        reason: None,
        output: Some(output.to_owned()),
        error_message: None,
        setup: Duration::from_millis(1),
        run: Duration::from_micros(1500),
        cpu: Duration::from_millis(1),
        peak_memory_bytes: 3 * 1024 * 1024,
        exit_status: Some(0),
        signal: None,
        log: vec![line("first"), line("second")],
        log_truncated: false,
    }
}

/// How a call ends that did not complete.
pub(crate) fn failed(reason: Reason, message: &str) -> FinishedExecution {
    FinishedExecution {
        reason: Some(reason),
        output: None,
        error_message: Some(message.to_owned()),
        exit_status: None,
        ..completed("")
    }
}

/// A line that a function wrote.
pub(crate) fn line(text: &str) -> LogLine {
    LogLine {
        at: OffsetDateTime::now_utc(),
        stream: LogStream::Stderr,
        level: log_level(text),
        text: text.to_owned(),
    }
}

/// Builds whatever waits, with success.
pub(crate) async fn build_everything(app: &App) {
    for job in claim_all(app).await {
        finish_build(app, &job, Ok(artifact())).await;
    }
}

/// Builds whatever waits, without success.
pub(crate) async fn fail_everything(app: &App, message: &str) {
    for job in claim_all(app).await {
        let failure =
            BuildFailure { reason: "compile_error".to_owned(), message: message.to_owned() };
        finish_build(app, &job, Err(failure)).await;
    }
}

/// Claims the builds that wait, oldest first.
pub(crate) async fn claim_builds(app: &App) -> Vec<ClaimedJob> {
    let mut jobs = claim_all(app).await;
    jobs.sort_by_key(|job| job.subject);
    jobs
}

/// Ends a build with success.
pub(crate) async fn finish_well(app: &App, job: &ClaimedJob) {
    finish_build(app, job, Ok(artifact())).await;
}

fn artifact() -> Artifact {
    Artifact {
        key: [7; 32],
        sha256: [8; 32],
        size_bytes: 1_000_000,
        toolchain: "go1.27.1".to_owned(),
    }
}

async fn finish_build(app: &App, job: &ClaimedJob, result: Result<Artifact, BuildFailure>) {
    let started = build::start(&app.db, BuildId(job.subject)).await.unwrap().unwrap();
    let diagnostics = match &result {
        Ok(_) => serde_json::json!([]),
        Err(failure) => serde_json::json!([{
            "file": "handler.go", "line": 5, "column": 2,
            "severity": "error", "message": failure.message,
        }]),
    };
    let finished = FinishedBuild {
        result,
        diagnostics,
        log: "what the compiler wrote".to_owned(),
        log_truncated: false,
        cached: false,
    };
    let mut tx = app.db.begin().await.unwrap();
    build::record(&mut tx, &started, &finished).await.unwrap();
    settle(&mut tx, job.claim).await.unwrap();
    commit(tx).await.unwrap();
    app.signals.finished(job.subject);
}

/// Carries out the calls that wait, each ending as said.
pub(crate) async fn run_everything(app: &App, finished: &FinishedExecution) {
    for job in claim_all(app).await {
        run(app, &job, finished).await;
    }
}

/// Waits for one call to come in and carries it out.
pub(crate) async fn run_next(app: &App, finished: &FinishedExecution) -> ExecutionId {
    let job = claim_next(app).await;
    run(app, &job, finished).await;
    ExecutionId(job.subject)
}

/// Waits for one call to come in.
pub(crate) async fn claim_next(app: &App) -> ClaimedJob {
    loop {
        app.signals.jobs_waiting(JobKind::Execute).await;
        if let Some(job) = claim_all(app).await.into_iter().next() {
            return job;
        }
    }
}

/// Carries out a call.
pub(crate) async fn run(app: &App, job: &ClaimedJob, finished: &FinishedExecution) {
    let started = start(app, job).await;
    finish(app, job, &started, finished).await;
}

/// Begins a call.
pub(crate) async fn start(app: &App, job: &ClaimedJob) -> StartedExecution {
    let id = ExecutionId(job.subject);
    execution::start(&app.db, id, job.attempt, &"test".into()).await.unwrap().unwrap()
}

/// Ends a call.
pub(crate) async fn finish(
    app: &App,
    job: &ClaimedJob,
    started: &StartedExecution,
    finished: &FinishedExecution,
) {
    execution::settle(&app.db, job.claim, started, job.attempt, finished).await.unwrap();
    app.signals.finished(job.subject);
}

/// A worker has these toolchains.
pub(crate) async fn offer(app: &App, newest: &[&str]) {
    let offer = |it: &&str| Offer { newest: it.parse().unwrap(), version: (*it).to_owned() };
    let offers: Vec<_> = newest.iter().map(offer).collect();
    toolchain::offer(&app.db, "test", &offers).await.unwrap();
}

/// Claims as much as the limits allow.
pub(crate) async fn claim_all(app: &App) -> Vec<ClaimedJob> {
    offer(app, &["go1.99", "rust"]).await;
    let lease = open_lease(&app.db, &"test".into()).await.unwrap();
    let plenty = FreeSlots { executions: 1000, background: 1000, builds: 1000 };
    Rounds::new(CallLimits::default()).claim(&app.db, lease, plenty).await.unwrap().jobs
}
