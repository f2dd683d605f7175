//! Compile: build one version of a function, or find that the same build was done before.

use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant},
};

use compiler::{
    ArtifactKey, BuildLimits, BuildLog, BuildOutcome, BuildPlan, Built, Compiler, FailureReason,
};
use shared::{
    domain::{BuildId, BuildStatus, Diagnostic, Runtime, SourceBundle},
    queue::{self, ClaimedJob, SettleError},
    store::{
        Db, SessionLock, artifact,
        build::{self, Artifact, BuildFailure, FinishedBuild, StartedBuild},
    },
};

use tokio_util::sync::CancellationToken;

use super::{JobError, Services, carry_out::settle_only, trace::JobTrace};
use crate::{
    builder::Builder,
    fetch::FetchError,
    pull::{Assignment, through_trouble},
};

pub(super) async fn compile(services: &Services, assignment: &Assignment) -> Result<(), JobError> {
    let Assignment { job, held, stop, .. } = assignment;
    // Slots for builds are only offered once there is a builder.
    let builder = services.builder.borrow().clone().ok_or(JobError::NoBuilder)?;
    let id = BuildId(job.subject);
    if job.cancel_requested {
        return Ok(through_trouble(held, || record_cancelled(&services.db, job)).await?);
    }
    let Some(mut started) = through_trouble(held, || build::start(&services.db, id)).await? else {
        return settle_only(services, job.claim, held).await;
    };
    let (began_at, mut trace) = (Instant::now(), JobTrace::begin(started.trace));
    let runtime = started.runtime.parse().map_err(|_| JobError::UnreadableVersion)?;
    let source = mem::take(&mut started.bundle);
    // Held until the outcome is recorded: whoever waits for it then finds the artifact.
    let (finished, _lock) = match plan(builder.compiler.clone(), runtime, source).await? {
        Ok((plan, key)) => build_or_reuse(services, &builder, &plan, key, stop).await?,
        Err(failure) => (failed(failure), None),
    };
    if held.lost.is_cancelled() {
        return Err(JobError::LeaseLost);
    }
    let built_in = began_at.elapsed();
    trace.worked();
    through_trouble(held, || record(&services.db, job, &started, &finished)).await?;
    let (language, succeeded) = (runtime.language(), finished.result.is_ok());
    services.metrics.functions.built(language, succeeded, began_at.elapsed());
    tell(job, &started, &finished, trace, built_in);
    Ok(())
}

/// A line in the log and spans in the trace.
fn tell(
    job: &ClaimedJob,
    started: &StartedBuild,
    finished: &FinishedBuild,
    trace: JobTrace,
    built_in: Duration,
) {
    let reason = finished.result.as_ref().err().map(|failure| failure.reason.as_str());
    let status = if reason.is_none() { BuildStatus::Succeeded } else { BuildStatus::Failed };
    tracing::info!(
        request_id = %job.request,
        tenant_id = %started.tenant,
        user_id = %started.author,
        function_id = %started.function,
        build_id = %started.id,
        trace_id = format!("{:032x}", trace.run.trace_id()),
        status = status.as_str(),
        reason,
        cached = finished.cached,
        duration_ms = built_in.as_secs_f64() * 1000.0,
        "build",
    );
    trace.end(
        "build",
        Some(started.waited),
        &[("compile", built_in)],
        vec![
            ("apprun.build_id", started.id.to_string().into()),
            ("apprun.function_id", started.function.to_string().into()),
            ("apprun.request_id", job.request.to_string().into()),
            ("apprun.status", status.as_str().into()),
            ("apprun.cached", finished.cached.into()),
        ],
        reason.is_some(),
    );
}

/// What will be built, and its name; or why nothing can be.
type Planned = Result<(BuildPlan, ArtifactKey), compiler::BuildFailure>;

/// Tens of megabytes may have to be read, scanned and hashed, which would hold up every job of a
/// thread. What the door let in can be read again; anything else is our trouble.
async fn plan(
    compiler: Arc<Compiler>,
    runtime: Runtime,
    bundle: Vec<u8>,
) -> Result<Planned, JobError> {
    let planning = tokio::task::spawn_blocking(move || {
        let source: SourceBundle =
            serde_json::from_slice(&bundle).map_err(|_| JobError::UnreadableVersion)?;
        Ok(compiler.plan(runtime, &source).map(|plan| {
            let key = plan.key();
            (plan, key)
        }))
    });
    planning.await?
}

async fn build_or_reuse(
    services: &Services,
    builder: &Builder,
    plan: &BuildPlan,
    key: ArtifactKey,
    stop: &CancellationToken,
) -> Result<(FinishedBuild, Option<SessionLock>), JobError> {
    if let Some(found) = find(services, key).await? {
        return Ok((found, None));
    }
    let lock = tokio::select! {
        lock = artifact::lock_key(&services.db, key.0) => lock?,
        () = stop.cancelled() => return Ok((cancelled(), None)),
    };
    // Somebody else may have built it while we waited.
    let finished = match find(services, key).await? {
        Some(found) => found,
        None => build(services, builder, plan, key, stop).await?,
    };
    Ok((finished, Some(lock)))
}

/// What an earlier build of the same inputs left.
async fn find(services: &Services, key: ArtifactKey) -> Result<Option<FinishedBuild>, JobError> {
    let Some(artifact) = build::find_artifact(&services.db, key.0).await? else {
        return Ok(None);
    };
    // The row outlives a store that was lost; then the binary is simply built again. What this worker
    // still holds in memory does not help the others.
    let is_there = services.artifacts.get(artifact.sha256).await.is_ok();
    Ok(is_there.then(|| reused(artifact)))
}

async fn build(
    services: &Services,
    builder: &Builder,
    plan: &BuildPlan,
    key: ArtifactKey,
    stop: &CancellationToken,
) -> Result<FinishedBuild, JobError> {
    let fetched = tokio::select! {
        fetched = builder.fetcher.fetch(plan.needs()) => fetched,
        () = stop.cancelled() => return Ok(cancelled()),
    };
    let fetched = match fetched {
        Err(FetchError::Refused(message)) => return Ok(unfetched(message)),
        fetched => fetched?,
    };
    let limits = BuildLimits::default();
    // Ended in the middle, because the lease was lost or because somebody asked: the caller asks which.
    let outcome = builder.compiler.build(&builder.sandbox, plan, fetched, limits, stop).await?;
    match outcome {
        BuildOutcome::Built(built) => store(services, plan, key, built).await,
        BuildOutcome::Failed(failure) => Ok(failed(failure)),
    }
}

async fn store(
    services: &Services,
    plan: &BuildPlan,
    key: ArtifactKey,
    built: Built,
) -> Result<FinishedBuild, JobError> {
    let size_bytes = built.artifact.bytes.len() as u64;
    let sha256 = services.artifacts.put(built.artifact.bytes).await?;
    let toolchain = plan.toolchain().to_owned();
    Ok(FinishedBuild {
        result: Ok(Artifact { key: key.0, sha256, size_bytes, toolchain }),
        diagnostics: as_json(&built.diagnostics),
        log: built.log.text,
        log_truncated: built.log.truncated,
        cached: false,
    })
}

fn reused(artifact: Artifact) -> FinishedBuild {
    FinishedBuild {
        result: Ok(artifact),
        diagnostics: as_json(&[]),
        log: "an earlier build had the same source, settings and toolchain; its binary is used\n"
            .to_owned(),
        log_truncated: false,
        cached: true,
    }
}

/// Ended while it waited. Whether the lease was lost or somebody asked, the caller finds out.
fn cancelled() -> FinishedBuild {
    failed(compiler::BuildFailure {
        reason: FailureReason::Cancelled,
        message: "the build was cancelled".to_owned(),
        log: BuildLog::default(),
        diagnostics: Vec::new(),
    })
}

/// The author's pins name what cannot be had here.
fn unfetched(message: String) -> FinishedBuild {
    failed(compiler::BuildFailure {
        reason: FailureReason::Dependencies,
        log: BuildLog { text: format!("{message}\n"), truncated: false },
        message,
        diagnostics: Vec::new(),
    })
}

fn failed(failure: compiler::BuildFailure) -> FinishedBuild {
    FinishedBuild {
        result: Err(BuildFailure {
            reason: failure.reason.as_str().to_owned(),
            message: failure.message,
        }),
        diagnostics: as_json(&failure.diagnostics),
        log: failure.log.text,
        log_truncated: failure.log.truncated,
        cached: false,
    }
}

fn as_json(diagnostics: &[Diagnostic]) -> serde_json::Value {
    // Strings and numbers: this cannot fail, and if it did the log would still say everything.
    serde_json::to_value(diagnostics).unwrap_or_default()
}

/// Outcome and end of the job, both or neither.
async fn record(
    db: &Db,
    job: &ClaimedJob,
    started: &StartedBuild,
    finished: &FinishedBuild,
) -> Result<(), SettleError> {
    let mut tx = db.begin().await?;
    queue::settle(&mut tx, job.claim).await?;
    build::record(&mut tx, started, finished).await?;
    Ok(tx.commit().await?)
}

async fn record_cancelled(db: &Db, job: &ClaimedJob) -> Result<(), SettleError> {
    let mut tx = db.begin().await?;
    queue::settle(&mut tx, job.claim).await?;
    build::record_cancelled(&mut tx, BuildId(job.subject)).await?;
    Ok(tx.commit().await?)
}
