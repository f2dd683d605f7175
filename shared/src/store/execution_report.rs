//! Executions as the API reads them: one of them, lists, and how many there are. What a worker does
//! with the same rows is in `execution`.

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Db, StoreError, Tx, db::word, project::effective_role};
use crate::domain::{
    Actor, ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, IdCursor, JsonText, PageSize,
    ProjectId, Reason, RequestId, Role, TenantId, UserId,
};

/// What every view of an execution shows.
#[derive(Debug)]
pub struct Summary {
    /// Which one.
    pub id: ExecutionId,
    /// Of which function.
    pub function: FunctionId,
    /// Of which version.
    pub version: i32,
    /// Whether somebody waited for the answer.
    pub mode: ExecutionMode,
    /// How far it is.
    pub status: ExecutionStatus,
    /// Why it did not complete.
    pub reason: Option<Reason>,
    /// Why it did not complete, for people.
    pub error: Option<String>,
    /// Where the time of the last attempt went.
    pub timings: Timings,
    /// Most memory it held.
    pub peak_memory_bytes: Option<u64>,
    /// Which try this was; 0 before the first.
    pub attempt: i32,
    /// The worker that ran the last attempt, for people.
    pub worker: Option<String>,
    /// Who called.
    pub caller: Option<UserId>,
    /// The request it came with.
    pub request: RequestId,
    /// The execution that it repeats.
    pub replay_of: Option<ExecutionId>,
    /// Not to be started before.
    pub run_at: Option<OffsetDateTime>,
    /// When the call was accepted.
    pub queued_at: OffsetDateTime,
    /// When a worker took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub completed_at: Option<OffsetDateTime>,
}

/// Where the time of an attempt went, in milliseconds; empty until it ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Timings {
    /// From when it could start to when a worker took it.
    pub queue_ms: Option<f64>,
    /// From there to the program's first instruction.
    pub setup_ms: Option<f64>,
    /// How long the program ran.
    pub run_ms: Option<f64>,
    /// To make the outcome durable.
    pub store_ms: Option<f64>,
}

/// An attempt that failed and was followed by another, as its execution's row keeps it.
#[derive(Debug, Deserialize)]
pub struct EarlierAttempt {
    /// Which try it was.
    pub attempt: u32,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// Why it failed, for people.
    pub error: Option<String>,
    /// The worker that ran it, for people.
    pub worker: Option<String>,
    /// Where its time went.
    pub timings: Timings,
    /// When a worker took it; None when a crash of the server forgot it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub completed_at: OffsetDateTime,
}

/// One execution, payloads and log included, as one user sees it.
#[derive(Debug)]
pub struct Execution {
    /// Everything but the payloads.
    pub summary: Summary,
    /// What the asking user may do with the function.
    pub role: Role,
    /// What the function was given.
    pub input: JsonText,
    /// What it answered.
    pub output: Option<JsonText>,
    /// The attempts before the last one, oldest first.
    pub earlier_attempts: Vec<EarlierAttempt>,
    /// The log of the last attempt, lines joined by `\n`.
    pub logs: String,
    /// True when it wrote more than was kept.
    pub logs_truncated: bool,
    /// Layers of isolation that the worker which ran it did without, by name.
    pub degraded: Vec<String>,
}

/// One execution; None when it is not there for this user.
pub async fn find(db: &Db, actor: Actor, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
    let found =
        sqlx::query_file!("src/store/execution_find.sql", actor.tenant.0, actor.user.0, id.0)
            .fetch_optional(db.autocommit_for(actor.tenant))
            .await?;
    let Some(row) = found else { return Ok(None) };
    let json = |text| JsonText::parse(text).map_err(StoreError::unreadable);
    let summary = SummaryRow {
        id: id.0,
        function_id: row.function_id,
        version_number: row.version_number,
        mode: row.mode,
        status: row.status,
        reason: row.reason,
        error_message: row.error_message,
        queue_ms: row.queue_ms,
        setup_ms: row.setup_ms,
        run_ms: row.run_ms,
        store_ms: row.store_ms,
        peak_memory_bytes: row.peak_memory_bytes,
        attempt: row.attempt,
        worker: row.worker,
        created_by: row.created_by,
        request_id: row.request_id,
        replay_of: row.replay_of,
        run_at: row.run_at,
        queued_at: row.queued_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
    };
    Ok(Some(Execution {
        summary: summary.try_into()?,
        role: effective_role(row.tenant_role.as_deref(), row.project_role.as_deref())?,
        input: json(row.input)?,
        output: row.output.map(json).transpose()?,
        earlier_attempts: serde_json::from_value(row.earlier_attempts)
            .map_err(StoreError::unreadable)?,
        logs: row.logs,
        logs_truncated: row.logs_truncated,
        degraded: row.degraded,
    }))
}

/// How far an execution is, without reading its payloads; None when there is none.
pub async fn status(
    db: &Db,
    tenant: TenantId,
    id: ExecutionId,
) -> Result<Option<ExecutionStatus>, StoreError> {
    let status = sqlx::query_scalar!(
        "select status from execution where id = $1 and tenant_id = $2",
        id.0,
        tenant.0
    )
    .fetch_optional(db.autocommit_for(tenant))
    .await?;
    status.as_deref().map(word).transpose()
}

/// What came with a request, newest first, at most ten: executions with their projects.
pub async fn of_request(
    db: &Db,
    tenant: TenantId,
    request: RequestId,
) -> Result<Vec<(ExecutionId, ProjectId)>, StoreError> {
    let rows = sqlx::query!(
        "select id, project_id from execution where request_id = $1 and tenant_id = $2
         order by id desc limit 10",
        request.0,
        tenant.0
    )
    .fetch_all(db.autocommit_for(tenant))
    .await?;
    Ok(rows.into_iter().map(|row| (ExecutionId(row.id), ProjectId(row.project_id))).collect())
}

/// Which executions: all conditions hold together. Whoever asks has been let in to the project or
/// the function, and one of the two is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Of this function.
    pub function: Option<FunctionId>,
    /// This far.
    pub status: Option<ExecutionStatus>,
    /// That ended so.
    pub reason: Option<Reason>,
    /// By this user.
    pub caller: Option<UserId>,
    /// That came with this request.
    pub request: Option<RequestId>,
    /// That nobody has dealt with yet.
    pub dead_letters: bool,
    /// Accepted at this moment or later.
    pub from: Option<OffsetDateTime>,
    /// Accepted before this moment.
    pub to: Option<OffsetDateTime>,
}

impl Filter {
    /// True when nothing that completed can be meant, which an index of its own serves.
    fn ended_badly(self) -> bool {
        let status =
            matches!(self.status, Some(ExecutionStatus::Failed | ExecutionStatus::Cancelled));
        status || self.reason.is_some()
    }
}

/// Executions without their payloads, newest first.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    filter: Filter,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Summary>, StoreError> {
    plan_for_values(tx).await?;
    let rows = sqlx::query_file_as!(
        SummaryRow,
        "src/store/execution_list.sql",
        tenant.0,
        filter.project.map(|id| id.0),
        filter.function.map(|id| id.0),
        filter.status.map(ExecutionStatus::as_str),
        filter.reason.map(Reason::as_str),
        filter.caller.map(|id| id.0),
        filter.request.map(|id| id.0),
        filter.dead_letters,
        filter.ended_badly(),
        filter.from,
        filter.to,
        behind.map(|cursor| cursor.0),
        size.and_one(),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(Summary::try_from).collect()
}

/// How many executions there are, by status, in the order of the statuses.
pub async fn counts(
    db: &Db,
    tenant: TenantId,
    filter: Filter,
) -> Result<Vec<(ExecutionStatus, u64)>, StoreError> {
    let mut tx = db.begin_for(tenant).await?;
    plan_for_values(&mut tx).await?;
    let rows = sqlx::query_file!(
        "src/store/execution_count.sql",
        tenant.0,
        filter.project.map(|id| id.0),
        filter.function.map(|id| id.0),
        filter.status.map(ExecutionStatus::as_str),
        filter.reason.map(Reason::as_str),
        filter.caller.map(|id| id.0),
        filter.request.map(|id| id.0),
        filter.dead_letters,
        filter.ended_badly(),
        filter.from,
        filter.to,
    )
    .fetch_all(&mut *tx)
    .await?;
    let found = rows.into_iter().map(|row| Ok((word(&row.status)?, row.count.unsigned_abs())));
    let found = found.collect::<Result<Vec<(ExecutionStatus, u64)>, StoreError>>()?;
    let count = |status| found.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
    Ok(ExecutionStatus::ALL.iter().map(|status| (*status, count(*status))).collect())
}

/// Conditions that were not given vanish from a plan made for the values at hand, and indexes fit;
/// a plan made for all values has to keep them. And lists want rows as an index orders them, not all of
/// them sorted.
pub(super) async fn plan_for_values(tx: &mut Tx) -> Result<(), StoreError> {
    sqlx::query!(
        "select set_config('plan_cache_mode', 'force_custom_plan', true) as plans,
                set_config('enable_bitmapscan', 'off', true) as bitmaps"
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(())
}

/// A summary as its row has it.
struct SummaryRow {
    id: Uuid,
    function_id: Uuid,
    version_number: i32,
    mode: String,
    status: String,
    reason: Option<String>,
    error_message: Option<String>,
    queue_ms: Option<f64>,
    setup_ms: Option<f64>,
    run_ms: Option<f64>,
    store_ms: Option<f64>,
    peak_memory_bytes: Option<i64>,
    attempt: i32,
    worker: Option<String>,
    created_by: Option<Uuid>,
    request_id: Uuid,
    replay_of: Option<Uuid>,
    run_at: Option<OffsetDateTime>,
    queued_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    completed_at: Option<OffsetDateTime>,
}

impl TryFrom<SummaryRow> for Summary {
    type Error = StoreError;

    fn try_from(row: SummaryRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ExecutionId(row.id),
            function: FunctionId(row.function_id),
            version: row.version_number,
            mode: word(&row.mode)?,
            status: word(&row.status)?,
            reason: row.reason.as_deref().map(word).transpose()?,
            error: row.error_message,
            timings: Timings {
                queue_ms: row.queue_ms,
                setup_ms: row.setup_ms,
                run_ms: row.run_ms,
                store_ms: row.store_ms,
            },
            peak_memory_bytes: row.peak_memory_bytes.map(i64::unsigned_abs),
            attempt: row.attempt,
            worker: row.worker,
            caller: row.created_by.map(UserId),
            request: RequestId(row.request_id),
            replay_of: row.replay_of.map(ExecutionId),
            run_at: row.run_at,
            queued_at: row.queued_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        })
    }
}
