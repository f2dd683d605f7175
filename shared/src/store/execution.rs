//! What a worker needs of executions: start one, record how it ended.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    Db, StoreError, Tx,
    db::{one_changed, sha256, word},
    version::read_env,
};
use crate::{
    domain::{
        ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, Level, LogStream, NetworkAccess,
        Reason, RetryPolicy, TenantId, TraceContext, UserId, Variables, VersionId, WorkerIdentity,
    },
    queue::{self, Claim, SettleError},
};

/// Everything a worker needs to run one call.
#[derive(Debug)]
pub struct StartedExecution {
    /// Which call.
    pub id: ExecutionId,
    /// Who pays.
    pub tenant: TenantId,
    /// Who called.
    pub caller: Option<UserId>,
    /// Which function.
    pub function: FunctionId,
    /// Which version of it.
    pub version: VersionId,
    /// The input as JSON text.
    pub input: String,
    /// sha256 of the binary.
    pub artifact_sha256: [u8; 32],
    /// Wall-clock limit of the run: the version's, or a shorter one that the caller asked for.
    pub timeout: Duration,
    /// Memory limit of the run.
    pub memory_bytes: u64,
    /// What the run can reach.
    pub network: NetworkAccess,
    /// Somebody wants to be told how it ends.
    pub has_callback: bool,
    /// Plain variables of the version.
    pub env: Variables,
    /// Whether the version has secrets besides; see `secret::of_version`.
    pub has_secrets: bool,
    /// What follows a failure; a caller who waits is told at once, so a sync call is never retried.
    pub retry: RetryPolicy,
    /// What set it off; None of calls that were accepted before this was written down.
    pub trace: Option<TraceContext>,
}

impl StartedExecution {
    /// How long to wait before the attempt that follows `attempt`, which ended so; None when that is
    /// the end of it. `jitter` lies between 0 and 1.
    pub fn retry_after(
        &self,
        attempt: i16,
        reason: Option<Reason>,
        jitter: f64,
    ) -> Option<Duration> {
        match reason {
            Some(reason) if !reason.is_permanent() => {
                self.retry.delay_after(attempt.unsigned_abs(), jitter)
            }
            _ => None,
        }
    }
}

/// Marks an execution as running and loads what the run needs; None when it is already final,
/// or its version has no binary any more.
///
/// Not flushed to disk: if the server dies the job is still there, and starting it again is the
/// same step.
pub async fn start(
    db: &Db,
    id: ExecutionId,
    attempt: i16,
    worker: &WorkerIdentity,
) -> Result<Option<StartedExecution>, StoreError> {
    let row = sqlx::query!(
        r#"with unflushed as materialized (select set_config('synchronous_commit', 'off', true) as is_set)
         update execution e
         set status = 'running', started_at = now(), attempt = $2, worker = $3, degraded = $4
         from unflushed, function_version v join artifact a on a.key = v.artifact_key
         where unflushed.is_set is not null
           and e.id = $1 and e.status in ('pending', 'running') and v.id = e.version_id
         returning e.tenant_id, e.created_by, e.function_id, e.version_id, e.input, e.mode, e.callback_url,
                   least(e.timeout_ms, 1000 * v.timeout_seconds) as "timeout_ms!", v.memory_mib,
                   v.network, a.sha256, v.env,
                   v.secret_names <> '{}' as "has_secrets!", v.max_retries,
                   v.retry_initial_delay_ms, v.retry_max_delay_ms, v.retry_backoff_factor, e.traceparent"#,
        id.0,
        i32::from(attempt),
        worker.name,
        &worker.degraded,
    )
    .fetch_optional(db.autocommit())
    .await?;
    row.map(|row| {
        let milliseconds = |count: i32| Duration::from_millis(count.unsigned_abs().into());
        let is_async = word::<ExecutionMode>(&row.mode)? == ExecutionMode::Async;
        Ok(StartedExecution {
            id,
            tenant: TenantId(row.tenant_id),
            caller: row.created_by.map(UserId),
            function: FunctionId(row.function_id),
            version: VersionId(row.version_id),
            input: row.input,
            artifact_sha256: sha256(row.sha256)?,
            timeout: milliseconds(row.timeout_ms),
            has_callback: row.callback_url.is_some(),
            memory_bytes: u64::from(row.memory_mib.unsigned_abs()) << 20,
            network: word(&row.network)?,
            env: read_env(&row.env)?,
            has_secrets: row.has_secrets,
            retry: RetryPolicy {
                max_retries: if is_async { row.max_retries.unsigned_abs() } else { 0 },
                initial_delay: milliseconds(row.retry_initial_delay_ms),
                max_delay: milliseconds(row.retry_max_delay_ms),
                backoff_factor: row.retry_backoff_factor,
            },
            trace: row.traceparent.and_then(|text| text.parse().ok()),
        })
    })
    .transpose()
}

/// How an execution ended, and what it took.
#[derive(Debug, Clone)]
pub struct FinishedExecution {
    /// None when it completed.
    pub reason: Option<Reason>,
    /// JSON text, when it completed.
    pub output: Option<String>,
    /// For people.
    pub error_message: Option<String>,
    /// From request to the program's first instruction.
    pub setup: Duration,
    /// From then to its end.
    pub run: Duration,
    /// Processor time over all of its processes.
    pub cpu: Duration,
    /// Most memory it held.
    pub peak_memory_bytes: u64,
    /// Status of the main process, when it had one.
    pub exit_status: Option<i32>,
    /// Signal of the main process, when one ended it.
    pub signal: Option<i32>,
    /// What it wrote, line by line.
    pub log: Vec<LogLine>,
    /// True when it wrote more than was kept.
    pub log_truncated: bool,
}

impl FinishedExecution {
    /// The state the row ends in.
    pub fn status(&self) -> ExecutionStatus {
        match self.reason {
            None => ExecutionStatus::Completed,
            Some(Reason::Cancelled) => ExecutionStatus::Cancelled,
            Some(_) => ExecutionStatus::Failed,
        }
    }
}

/// One line of a function's log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When it was read.
    pub at: OffsetDateTime,
    /// Where it came from.
    pub stream: LogStream,
    /// How grave it says it is.
    pub level: Level,
    /// Without its line end; never holds NUL.
    pub text: String,
}

/// The parts of an execution's time that only the database's clock knows.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// From being due to being started.
    pub queue: Duration,
    /// What is left besides queue, setup and run.
    pub store: Duration,
}

/// Settles the job of an execution and writes its outcome, both or neither, in one trip to the
/// database. Stale when the job is another worker's by now, or the execution ended already.
pub async fn settle(
    db: &Db,
    claim: Claim,
    execution: &StartedExecution,
    attempt: i16,
    finished: &FinishedExecution,
) -> Result<Waits, SettleError> {
    let log = LogColumns::of(&finished.log);
    let row = sqlx::query_file!(
        "src/store/execution_settle.sql",
        execution.id.0,
        claim.job_id,
        claim.token,
        finished.status().as_str(),
        finished.reason.map(Reason::as_str),
        finished.output,
        finished.error_message,
        milliseconds(finished.setup),
        milliseconds(finished.run),
        milliseconds(finished.cpu),
        i64::try_from(finished.peak_memory_bytes).unwrap_or(i64::MAX),
        finished.exit_status,
        finished.signal,
        finished.log_truncated,
        i32::from(attempt),
        &log.times,
        &log.streams,
        &log.levels,
        &log.texts,
    )
    .fetch_optional(db.autocommit())
    .await?;
    queue::count_settle(claim, row.is_some());
    let row = row.ok_or(SettleError::Stale)?;
    let part = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
    Ok(Waits { queue: part(row.queue_ms), store: part(row.store_ms) })
}

/// Writes what an attempt left that will be followed by another: its log, and that the execution
/// waits again. Goes into the transaction that defers its job.
pub async fn record_failed_attempt(
    tx: &mut Tx,
    execution: &StartedExecution,
    attempt: i16,
    finished: &FinishedExecution,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update execution
         set status = 'pending', started_at = null, logs_truncated = $2,
             earlier_attempts = earlier_attempts || jsonb_build_object(
                 'attempt', $3::int, 'reason', $4::text, 'error', $5::text, 'worker', worker,
                 'started_at', started_at, 'completed_at', clock_timestamp(),
                 'timings', jsonb_build_object('setup_ms', $6::float8, 'run_ms', $7::float8))
         where id = $1 and status in ('pending', 'running')",
        execution.id.0,
        finished.log_truncated,
        i32::from(attempt),
        finished.reason.map(Reason::as_str),
        finished.error_message.as_deref().map(storable),
        milliseconds(finished.setup),
        milliseconds(finished.run),
    )
    .execute(&mut **tx)
    .await?;
    one_changed(&done, "an execution whose attempt failed")?;
    record_log(tx, execution, attempt, &finished.log).await
}

async fn record_log(
    tx: &mut Tx,
    execution: &StartedExecution,
    attempt: i16,
    log: &[LogLine],
) -> Result<(), StoreError> {
    let log = LogColumns::of(log);
    // Lines are counted through all attempts of an execution.
    sqlx::query!(
        "insert into execution_log
             (execution_id, tenant_id, function_id, attempt, seq, at, stream, level, line)
         select $1, $2, $3, $4, earlier.lines + row_number() over (), l.at, l.stream, l.level, l.line
         from unnest($5::timestamptz[], $6::text[], $7::text[], $8::text[]) as l (at, stream, level, line),
              (select coalesce(max(seq), 0) as lines from execution_log
               where execution_id = $1 and $4 > 1) as earlier",
        execution.id.0,
        execution.tenant.0,
        execution.function.0,
        i32::from(attempt),
        &log.times,
        &log.streams,
        &log.levels,
        &log.texts,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The lines of a log as the database takes many rows at once: column by column.
struct LogColumns {
    times: Vec<OffsetDateTime>,
    streams: Vec<String>,
    levels: Vec<String>,
    texts: Vec<String>,
}

impl LogColumns {
    fn of(log: &[LogLine]) -> Self {
        Self {
            times: log.iter().map(|line| line.at).collect(),
            streams: log.iter().map(|line| line.stream.as_str().to_owned()).collect(),
            levels: log.iter().map(|line| line.level.as_str().to_owned()).collect(),
            texts: log.iter().map(|line| line.text.clone()).collect(),
        }
    }
}

/// Ends an execution that could not be run to an end of its own. Whose call it was; None when it had
/// ended before.
pub async fn give_up(
    tx: &mut Tx,
    id: ExecutionId,
    reason: Reason,
    message: &str,
) -> Result<Option<FunctionId>, StoreError> {
    let function = sqlx::query_scalar!(
        "update execution
         set status = 'failed', dead_letter = mode = 'async', reason = $2, error_message = $3,
             completed_at = now()
         where id = $1 and status in ('pending', 'running')
         returning function_id",
        id.0,
        reason.as_str(),
        message,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(function.map(FunctionId))
}

/// Ends an execution that nobody wants any more before it ran to an end. Whose call it was; None when
/// it had ended before.
pub async fn record_cancelled(
    tx: &mut Tx,
    id: ExecutionId,
) -> Result<Option<FunctionId>, StoreError> {
    let function = sqlx::query_scalar!(
        "update execution
         set status = 'cancelled', reason = 'cancelled', completed_at = now()
         where id = $1 and status in ('pending', 'running')
         returning function_id",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(function.map(FunctionId))
}

/// Ends executions whose jobs were taken out of the line.
pub(super) async fn record_all_cancelled(
    tx: &mut Tx,
    ids: &[Uuid],
    message: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update execution
         set status = 'cancelled', reason = 'cancelled', error_message = $2, completed_at = now()
         where id = any($1) and status in ('pending', 'running')",
        ids,
        message,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// jsonb holds everything but NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
