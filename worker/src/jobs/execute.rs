//! Execute: run one call of a function version in a fresh sandbox.

use std::{
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, SystemTime},
};

use compiler::{FunctionResult, interpret};
use sandbox::{Executable, Limits, Outcome, Program, Sandbox};
use shared::{
    config::PayloadLimits,
    domain::{ExecutionId, ExecutionStatus, NetworkAccess, Reason, TraceContext},
    queue::{self, ClaimedJob, SettleError},
    store::{
        Db, StoreError,
        execution::{self, FinishedExecution, StartedExecution, Waits},
        secret,
    },
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    JobError, Services,
    log_lines::log_lines,
    lost_binary,
    trace::{JobTrace, RUN},
};
use crate::{
    burial::Buried,
    egress::CERTIFICATES_VARIABLE,
    pull::{Assignment, Trouble, through_trouble},
};

/// What a call may keep busy.
const CORES: u32 = 1;
/// Over which the kernel evens a core's share out.
const CPU_QUOTA_PERIOD: Duration = Duration::from_millis(100);

pub(super) async fn execute(services: &Services, assignment: &Assignment) -> Result<(), JobError> {
    let Assignment { job, held, stop, .. } = assignment;
    let id = ExecutionId(job.subject);
    if job.cancel_requested {
        let ended = through_trouble(held, || record_cancelled(&services.db, job)).await?;
        ended.count(&services.metrics.functions);
        return Ok(());
    }
    let start = || execution::start(&services.db, id, try_number(job), &services.worker);
    let Some(call) = through_trouble(held, start).await? else {
        let ended = through_trouble(held, || record_unstartable(&services.db, job)).await?;
        ended.count(&services.metrics.functions);
        return Ok(());
    };
    let sandbox = sandbox_for(services, call.network)?;
    let mut trace = JobTrace::begin(call.trace);
    let started_at = SystemTime::now();
    let secrets = through_trouble(held, || secrets(services, &call)).await?;
    let binary = match services.binaries.get(call.artifact_sha256).await {
        Err(error) if error.is_lost() => {
            return Err(lost_binary::rebuild(services, held, call.version, error).await);
        }
        got => got?,
    };
    let limits = limits(&call, &services.payloads);
    let program = program(job, &call, binary, secrets, started_at, trace.run, limits);
    let outcome = sandbox.run(program, stop).await?;
    trace.worked();
    if held.lost.is_cancelled() {
        return Err(JobError::LeaseLost);
    }
    let finished = finished(&outcome, started_at);
    let retry_after = call.retry_after(job.attempt, finished.reason, rand::random());
    let record = || record(&services.db, job, &call, &finished, retry_after);
    let ended = through_trouble(held, record).await?;
    if call.has_callback {
        services.callbacks_due.notify_one();
    }
    if let Some(waits) = ended {
        count(services, &call, &finished, waits);
    }
    tell(job, &call, &finished, trace, ended);
    Ok(())
}

/// A call never runs with more than its version asked for, nor without it.
fn sandbox_for(services: &Services, network: NetworkAccess) -> Result<&Sandbox, JobError> {
    match network {
        NetworkAccess::None => Ok(&services.calls),
        NetworkAccess::Egress => services.egress.as_ref().ok_or(JobError::NoEgress),
    }
}

/// A line in the log and spans in the trace: of the end, or of an attempt that another follows.
fn tell(
    job: &ClaimedJob,
    call: &StartedExecution,
    finished: &FinishedExecution,
    trace: JobTrace,
    ended: Option<Waits>,
) {
    let reason = finished.reason.map(Reason::as_str);
    tracing::info!(
        request_id = %job.request,
        tenant_id = %call.tenant,
        user_id = call.caller.map(tracing::field::display),
        function_id = %call.function,
        execution_id = %call.id,
        trace_id = format!("{:032x}", trace.run.trace_id()),
        attempt = try_number(job),
        status = finished.status().as_str(),
        reason,
        retried = ended.is_none(),
        duration_ms = (finished.setup + finished.run).as_secs_f64() * 1000.0,
        "call",
    );
    trace.end(
        "execute",
        ended.map(|waits| waits.queue),
        &[("setup", finished.setup), (RUN, finished.run)],
        vec![
            ("apprun.execution_id", call.id.to_string().into()),
            ("apprun.function_id", call.function.to_string().into()),
            ("apprun.request_id", job.request.to_string().into()),
            ("apprun.attempt", i64::from(try_number(job)).into()),
            ("apprun.status", finished.status().as_str().into()),
            ("apprun.reason", reason.unwrap_or_default().into()),
        ],
        finished.status() == ExecutionStatus::Failed,
    );
}

fn count(services: &Services, call: &StartedExecution, finished: &FinishedExecution, waits: Waits) {
    let phases = [
        ("queue", waits.queue),
        ("setup", finished.setup),
        ("run", finished.run),
        ("store", waits.store),
    ];
    services.metrics.functions.ended(call.function, finished.reason, &phases);
}

fn program(
    job: &ClaimedJob,
    call: &StartedExecution,
    binary: Arc<OwnedFd>,
    secrets: Vec<(String, String)>,
    started_at: SystemTime,
    trace: TraceContext,
    limits: Limits,
) -> Program {
    let deadline = OffsetDateTime::from(started_at + call.timeout);
    let ours = [
        ("APPRUN_EXECUTION_ID", call.id.to_string()),
        ("APPRUN_ATTEMPT", try_number(job).to_string()),
        ("APPRUN_DEADLINE", deadline.format(&Rfc3339).unwrap_or_default()),
        // Where OpenTelemetry looks for it in a process's environment.
        ("TRACEPARENT", trace.to_string()),
        // Without `/proc` Go sees no quota, and would start threads for cores that the call may not use.
        ("GOMAXPROCS", CORES.to_string()),
    ];
    let ours = ours.map(|(name, value)| (name.to_owned(), value));
    let certificates = (call.network == NetworkAccess::Egress).then_some(CERTIFICATES_VARIABLE);
    let certificates = certificates.map(|(name, place)| (name.to_owned(), place.to_owned()));
    let plain = call.env.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone()));
    Program {
        executable: Executable::File(binary),
        args: Vec::new(),
        // Of two of one name, programs take the first: nobody sets ours, and the author may set the last.
        env: ours.into_iter().chain(plain).chain(secrets).chain(certificates).collect(),
        stdin: call.input.clone().into_bytes(),
        files: Vec::new(),
        collect: None,
        limits,
    }
}

/// The secrets of the version, opened; most versions have none.
async fn secrets(
    services: &Services,
    call: &StartedExecution,
) -> Result<Vec<(String, String)>, SecretsError> {
    if !call.has_secrets {
        return Ok(Vec::new());
    }
    let sealed = secret::of_version(&services.db, call.version).await?;
    let keys = services.secret_keys.as_ref().ok_or(SecretsError::NoKey)?;
    let opened =
        sealed.into_iter().map(|(name, sealed)| match keys.open(call.function, &name, &sealed) {
            Some(value) => Ok((name, value.expose().to_owned())),
            None => Err(SecretsError::Closed { name, key_id: sealed.key_id }),
        });
    opened.collect()
}

/// Why a function's secrets cannot be given to it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to open secrets: this worker has no key; set APPRUN_SECRET_KEY")]
    NoKey,
    #[error("failed to open secret {name}: this worker lacks the key {key_id}, or it was changed")]
    Closed { name: String, key_id: String },
}

impl Trouble for SecretsError {
    fn passes(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

/// Which try this is, whoever is to blame for the ones before: the user's retries and our losses
/// together. The function and the caller see the same number.
fn try_number(job: &ClaimedJob) -> i16 {
    job.attempt + job.redeliveries
}

fn limits(call: &StartedExecution, payloads: &PayloadLimits) -> Limits {
    Limits {
        wall_time: call.timeout,
        // A call may keep one core busy for as long as it may run. What the quota lets it run ahead of
        // that must not end it before its time.
        cpu_time: call.timeout + CPU_QUOTA_PERIOD,
        cpu_millicores: CORES * 1000,
        memory_bytes: call.memory_bytes,
        pids: 64,
        stdout_bytes: payloads.output_bytes,
        stderr_bytes: payloads.log_bytes,
        open_files: 256,
        file_bytes: 64 << 20,
        disk_bytes: 64 << 20,
        disk_inodes: 1024,
    }
}

fn finished(outcome: &Outcome, started_at: SystemTime) -> FinishedExecution {
    let (reason, output, error_message) = match interpret(outcome) {
        FunctionResult::Completed { output } => (None, Some(output), None),
        FunctionResult::Failed { reason, message } => (Some(reason), None, Some(message)),
    };
    let usage = outcome.usage;
    let program_started_at = started_at + usage.setup_time;
    FinishedExecution {
        reason,
        output,
        error_message,
        setup: usage.setup_time,
        run: usage.wall_time,
        cpu: usage.cpu_time,
        peak_memory_bytes: usage.peak_memory_bytes,
        exit_status: usage.exit_status,
        signal: usage.signal,
        log: log_lines(&outcome.stderr, &outcome.stderr_times, program_started_at),
        log_truncated: outcome.stderr_truncated,
    }
}

/// Outcome and end of the job, both or neither; or, when another attempt follows, its due time, and
/// None.
async fn record(
    db: &Db,
    job: &ClaimedJob,
    call: &StartedExecution,
    finished: &FinishedExecution,
    retry_after: Option<Duration>,
) -> Result<Option<Waits>, SettleError> {
    let Some(delay) = retry_after else {
        return execution::settle(db, job.claim, call, try_number(job), finished).await.map(Some);
    };
    let mut tx = db.begin().await?;
    queue::retry(&mut tx, job.claim, delay).await?;
    execution::record_failed_attempt(&mut tx, call, try_number(job), finished).await?;
    tx.commit().await?;
    Ok(None)
}

/// Nothing is left to run. Most such executions ended already; one whose version was given up ends now,
/// because nobody else would ever end it.
async fn record_unstartable(db: &Db, job: &ClaimedJob) -> Result<Buried, SettleError> {
    const MESSAGE: &str = "the version of the function that was called is gone";
    let (id, reason) = (ExecutionId(job.subject), Reason::PlatformError);
    let mut tx = db.begin().await?;
    queue::settle(&mut tx, job.claim).await?;
    let function = execution::give_up(&mut tx, id, reason, MESSAGE).await?;
    tx.commit().await?;
    Ok(Buried { function, reason })
}

async fn record_cancelled(db: &Db, job: &ClaimedJob) -> Result<Buried, SettleError> {
    let mut tx = db.begin().await?;
    queue::settle(&mut tx, job.claim).await?;
    let function = execution::record_cancelled(&mut tx, ExecutionId(job.subject)).await?;
    tx.commit().await?;
    Ok(Buried { function, reason: Reason::Cancelled })
}
