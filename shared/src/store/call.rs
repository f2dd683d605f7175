//! Executions as the API sees them: accept a call, read what became of it, list calls and logs.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Db, StoreError, Tx, db::word, project::effective_role};
use crate::{
    domain::{
        Actor, ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, IdCursor, JsonText,
        LogCursor, LogStream, PageSize, Reason, RequestId, Role, TenantId,
    },
    queue::{Class, JobKind, NewJob, push},
};

/// A call to be accepted.
#[derive(Debug)]
pub struct NewCall<'a> {
    /// Its id, chosen beforehand so that its end can be watched for.
    pub id: ExecutionId,
    /// Of which function.
    pub function: FunctionId,
    /// Whether somebody waits for the answer.
    pub mode: ExecutionMode,
    /// What the function is given.
    pub input: &'a JsonText,
    /// The request it came with.
    pub request: RequestId,
}

/// Inserts an execution of the version that serves at this moment, and its job. False when none
/// serves: the insert itself demands one.
pub async fn accept(tx: &mut Tx, actor: Actor, call: NewCall<'_>) -> Result<bool, StoreError> {
    let inserted = sqlx::query!(
        "insert into execution (id, tenant_id, project_id, function_id, version_id,
                                version_number, mode, status, input, created_by, request_id)
         select $1, f.tenant_id, f.project_id, f.id, v.id, v.number, $4, 'pending', $5, $6, $7
         from function f
         join function_version v on v.function_id = f.id and v.number = f.current_version
         where f.id = $3 and f.tenant_id = $2 and f.deleted_at is null
           and v.artifact_key is not null",
        call.id.0,
        actor.tenant.0,
        call.function.0,
        call.mode.as_str(),
        call.input.as_str(),
        actor.user.0,
        call.request.0,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    let job = NewJob {
        kind: JobKind::Execute,
        class: match call.mode {
            ExecutionMode::Sync => Class::Sync,
            ExecutionMode::Async => Class::Async,
        },
        subject: call.id.0,
        tenant: actor.tenant,
        function: call.function,
        request: call.request,
    };
    push(tx, job).await?;
    Ok(true)
}

/// What every view of an execution shows.
#[derive(Debug)]
pub struct Summary {
    /// Which one.
    pub id: ExecutionId,
    /// Of which function.
    pub function: FunctionId,
    /// Of which version.
    pub version: i32,
    /// How far it is.
    pub status: ExecutionStatus,
    /// Why it did not complete.
    pub reason: Option<Reason>,
    /// Why it did not complete, for people.
    pub error: Option<String>,
    /// How long the program ran, in milliseconds.
    pub run_ms: Option<f64>,
    /// Most memory it held.
    pub peak_memory_bytes: Option<u64>,
    /// Which try this was; 0 before the first.
    pub attempt: i32,
    /// When the call was accepted.
    pub queued_at: OffsetDateTime,
    /// When a worker took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub completed_at: Option<OffsetDateTime>,
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
    /// The log of the last attempt, lines joined by `\n`.
    pub logs: String,
    /// True when it wrote more than was kept.
    pub logs_truncated: bool,
}

/// One execution; None when it is not there for this user.
pub async fn find(db: &Db, actor: Actor, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
    let mut tx = db.begin_for(actor.tenant).await?;
    let row = sqlx::query_file!("src/store/call_find.sql", actor.tenant.0, actor.user.0, id.0)
        .fetch_optional(&mut *tx)
        .await?;
    let json = |text| JsonText::parse(text).map_err(StoreError::unreadable);
    row.map(|row| {
        Ok(Execution {
            summary: Summary {
                id,
                function: FunctionId(row.function_id),
                version: row.version_number,
                status: word(&row.status)?,
                reason: row.reason.as_deref().map(word).transpose()?,
                error: row.error_message,
                run_ms: row.run_ms,
                peak_memory_bytes: row.peak_memory_bytes.map(i64::unsigned_abs),
                attempt: row.attempt,
                queued_at: row.queued_at,
                started_at: row.started_at,
                completed_at: row.completed_at,
            },
            role: effective_role(row.tenant_role.as_deref(), row.project_role.as_deref())?,
            input: json(row.input)?,
            output: row.output.map(json).transpose()?,
            logs: row.logs,
            logs_truncated: row.logs_truncated,
        })
    })
    .transpose()
}

/// How far an execution is, without reading its payloads; None when there is none.
pub async fn status(
    db: &Db,
    tenant: TenantId,
    id: ExecutionId,
) -> Result<Option<ExecutionStatus>, StoreError> {
    let mut tx = db.begin_for(tenant).await?;
    let status = sqlx::query_scalar!(
        "select status from execution where id = $1 and tenant_id = $2",
        id.0,
        tenant.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    status.as_deref().map(word).transpose()
}

/// The executions of a function, newest first. Whoever asks has been let in to the function.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    function: FunctionId,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Summary>, StoreError> {
    let mut tx = db.begin_for(tenant).await?;
    let rows = sqlx::query_as!(
        SummaryRow,
        "select id, function_id, version_number, status, reason, error_message, run_ms,
                peak_memory_bytes, attempt, queued_at, started_at, completed_at
         from execution
         where function_id = $1 and tenant_id = $2 and ($3::uuid is null or id < $3)
         order by id desc
         limit $4",
        function.0,
        tenant.0,
        behind.map(|cursor| cursor.0),
        size.and_one(),
    )
    .fetch_all(&mut *tx)
    .await?;
    rows.into_iter().map(Summary::try_from).collect()
}

/// A summary as its row has it.
pub(super) struct SummaryRow {
    pub(super) id: Uuid,
    pub(super) function_id: Uuid,
    pub(super) version_number: i32,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) run_ms: Option<f64>,
    pub(super) peak_memory_bytes: Option<i64>,
    pub(super) attempt: i32,
    pub(super) queued_at: OffsetDateTime,
    pub(super) started_at: Option<OffsetDateTime>,
    pub(super) completed_at: Option<OffsetDateTime>,
}

impl TryFrom<SummaryRow> for Summary {
    type Error = StoreError;

    fn try_from(row: SummaryRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ExecutionId(row.id),
            function: FunctionId(row.function_id),
            version: row.version_number,
            status: word(&row.status)?,
            reason: row.reason.as_deref().map(word).transpose()?,
            error: row.error_message,
            run_ms: row.run_ms,
            peak_memory_bytes: row.peak_memory_bytes.map(i64::unsigned_abs),
            attempt: row.attempt,
            queued_at: row.queued_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        })
    }
}

/// One line that an execution of a function wrote.
#[derive(Debug)]
pub struct LogEntry {
    /// Its place among all lines of the function.
    pub place: LogCursor,
    /// Where it came from.
    pub stream: LogStream,
    /// Without its line end.
    pub line: String,
}

impl LogEntry {
    /// Who wrote it.
    pub fn execution(&self) -> ExecutionId {
        ExecutionId(self.place.execution)
    }
}

/// The lines that the executions of a function wrote, newest first. Whoever asks has been let in
/// to the function.
pub async fn logs(
    db: &Db,
    tenant: TenantId,
    function: FunctionId,
    behind: Option<LogCursor>,
    size: PageSize,
) -> Result<Vec<LogEntry>, StoreError> {
    let mut tx = db.begin_for(tenant).await?;
    let rows = sqlx::query!(
        "select execution_id, attempt, seq, at, stream, line
         from execution_log
         where function_id = $1 and tenant_id = $2
           and ($3::timestamptz is null
                or (at, execution_id, attempt, seq) < ($3, $4::uuid, $5::int, $6::int))
         order by at desc, execution_id desc, attempt desc, seq desc
         limit $7",
        function.0,
        tenant.0,
        behind.map(|cursor| cursor.at),
        behind.map(|cursor| cursor.execution) as Option<Uuid>,
        behind.map(|cursor| cursor.attempt) as Option<i32>,
        behind.map(|cursor| cursor.seq) as Option<i32>,
        size.and_one(),
    )
    .fetch_all(&mut *tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(LogEntry {
                place: LogCursor {
                    at: row.at,
                    execution: row.execution_id,
                    attempt: row.attempt,
                    seq: row.seq,
                },
                stream: word(&row.stream)?,
                line: row.line,
            })
        })
        .collect()
}
