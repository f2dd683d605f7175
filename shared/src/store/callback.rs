//! Callbacks: messages that tell how executions ended. A trigger makes each due in the transaction
//! that ends its execution; workers claim, send and record; the API shows what was tried.

use std::time::Duration;

use time::OffsetDateTime;

use uuid::Uuid;

use super::{Db, StoreError, Tx, db::word, secret::Resealed};
use crate::{
    domain::{
        Actor, CallbackStatus, ExecutionId, ExecutionStatus, FunctionId, JsonText, ProjectId,
        Reason, RequestId, TenantId,
    },
    seal::{Sealed, SecretKeys},
};

/// Under which a project's secret is sealed.
const SECRET_NAME: &str = "callback secret";

/// An attempt that takes longer counts as lost and is made again, by any worker.
pub const ATTEMPT_LEASE: Duration = Duration::from_secs(60);

/// How long the secret before still signs.
const ROTATION_HOURS: i32 = 24;

/// A message to be sent now.
#[derive(Debug)]
pub struct DueCallback {
    /// Whose end it tells; names the message too.
    pub execution: ExecutionId,
    /// Who pays.
    pub tenant: TenantId,
    /// Where to.
    pub url: String,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// What it is signed with, the newest first; empty when the project lost its secret, or no key
    /// of this process opens it.
    pub secrets: Vec<Vec<u8>>,
    /// What it tells; None when the execution is no longer kept.
    pub ended: Option<EndedExecution>,
}

/// How an execution ended.
#[derive(Debug)]
pub struct EndedExecution {
    /// Of which function.
    pub function: FunctionId,
    /// Of which version.
    pub version: i32,
    /// How.
    pub status: ExecutionStatus,
    /// Why it did not complete.
    pub reason: Option<Reason>,
    /// Why it did not complete, for people.
    pub error: Option<String>,
    /// What it answered.
    pub output: Option<JsonText>,
    /// How long the program ran, in milliseconds.
    pub run_ms: Option<f64>,
    /// Which try this was.
    pub attempt: i32,
    /// The request it came with.
    pub request: RequestId,
    /// When the call was accepted.
    pub queued_at: OffsetDateTime,
    /// When a worker took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub completed_at: OffsetDateTime,
}

/// Takes at most `room` messages that are due and begins an attempt of each.
pub async fn claim(
    db: &Db,
    room: u32,
    keys: Option<&SecretKeys>,
) -> Result<Vec<DueCallback>, StoreError> {
    let rows = sqlx::query_file!(
        "src/store/callback_claim.sql",
        i64::from(room),
        ATTEMPT_LEASE.as_secs_f64()
    )
    .fetch_all(db.autocommit())
    .await?;
    rows.into_iter()
        .map(|row| {
            let ended = || {
                Some(EndedExecution {
                    function: FunctionId(row.function_id?),
                    version: row.version_number?,
                    status: row.status.as_deref()?.parse().ok()?,
                    reason: row.reason.as_deref().and_then(|reason| reason.parse().ok()),
                    error: row.error_message,
                    output: row.output.and_then(|output| JsonText::parse(output).ok()),
                    run_ms: row.run_ms,
                    attempt: row.attempt?,
                    request: RequestId(row.request_id?),
                    queued_at: row.queued_at?,
                    started_at: row.started_at,
                    completed_at: row.completed_at?,
                })
            };
            Ok(DueCallback {
                execution: ExecutionId(row.execution_id),
                tenant: TenantId(row.tenant_id),
                url: row.url,
                attempt: row.attempts,
                secrets: [(row.secret, row.key_id), (row.previous, row.previous_key_id)]
                    .into_iter()
                    .filter_map(|(bytes, key_id)| open(keys, row.project_id, bytes?, key_id))
                    .collect(),
                ended: ended(),
            })
        })
        .collect()
}

/// How an attempt ended.
#[derive(Debug)]
pub struct Attempted {
    /// When it began.
    pub at: OffsetDateTime,
    /// How long it took.
    pub took: Duration,
    /// What the receiver answered, or why it did not.
    pub answer: Result<u16, String>,
    /// What follows.
    pub then: Then,
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Nothing: the receiver has it.
    Delivered,
    /// Another attempt, after this time.
    Again(Duration),
    /// Nothing: it was given up, or the receiver wants no more.
    GivenUp,
}

/// Writes how an attempt ended. False when it took too long and another was begun meanwhile: then
/// nothing is written.
pub async fn record(
    db: &Db,
    callback: &DueCallback,
    worker: &str,
    attempted: &Attempted,
) -> Result<bool, StoreError> {
    let (status, delay) = match attempted.then {
        Then::Delivered => (CallbackStatus::Delivered, None),
        Then::Again(delay) => (CallbackStatus::Pending, Some(delay.as_secs_f64())),
        Then::GivenUp => (CallbackStatus::Failed, None),
    };
    let recorded = sqlx::query!(
        "with mine as (
             update callback set status = $3, due_at = now() + make_interval(secs => $4)
             where execution_id = $1 and attempts = $2 and status = 'pending'
             returning execution_id, attempts, tenant_id, due_at
         )
         insert into callback_attempt (execution_id, attempt, tenant_id, at, worker, status_code,
                                       error, duration_ms, next_at)
         select execution_id, attempts, tenant_id, $5, $6, $7, $8, $9, due_at from mine",
        callback.execution.0,
        callback.attempt,
        status.as_str(),
        delay,
        attempted.at,
        worker,
        attempted.answer.as_ref().ok().map(|status| i32::from(*status)),
        attempted.answer.as_ref().err(),
        attempted.took.as_secs_f64() * 1000.0,
    )
    .execute(db.autocommit())
    .await?;
    Ok(recorded.rows_affected() == 1)
}

/// What became of an execution's message.
#[derive(Debug)]
pub struct Deliveries {
    /// Where to.
    pub url: String,
    /// How far it is; None while the execution has not ended.
    pub status: Option<CallbackStatus>,
    /// When it is tried next.
    pub due_at: Option<OffsetDateTime>,
    /// Attempts that ended, oldest first.
    pub attempts: Vec<AttemptRow>,
}

/// One attempt that ended.
#[derive(Debug)]
pub struct AttemptRow {
    /// From 1; a number is missing where a worker was lost.
    pub attempt: i32,
    /// When it began.
    pub at: OffsetDateTime,
    /// Who made it, for people.
    pub worker: String,
    /// What the receiver answered.
    pub status_code: Option<i32>,
    /// Why it did not.
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: f64,
}

/// What was tried to tell how an execution ended; None when nobody wanted to be told. Whoever asks
/// has been let in to the execution.
pub async fn deliveries(
    db: &Db,
    tenant: TenantId,
    execution: ExecutionId,
) -> Result<Option<Deliveries>, StoreError> {
    let mut tx = db.begin_for(tenant).await?;
    let row = sqlx::query!(
        r#"select e.callback_url as "url!", c.status as "status?", c.due_at
           from execution e left join callback c on c.execution_id = e.id
           where e.id = $1 and e.tenant_id = $2 and e.callback_url is not null"#,
        execution.0,
        tenant.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let attempts = sqlx::query_as!(
        AttemptRow,
        "select attempt, at, worker, status_code, error, duration_ms from callback_attempt
         where execution_id = $1 and tenant_id = $2 order by attempt",
        execution.0,
        tenant.0
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(Some(Deliveries {
        url: row.url,
        status: row.status.as_deref().map(word).transpose()?,
        due_at: row.due_at,
        attempts,
    }))
}

/// True when the project's messages can be signed.
pub async fn has_secret(tx: &mut Tx, project: ProjectId) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select 1 from callback_secret where project_id = $1) as "found!""#,
        project.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(found)
}

/// A project's secret on its way into its row.
pub fn seal(keys: &SecretKeys, project: ProjectId, secret: &[u8]) -> Sealed {
    keys.seal_bytes(project.0, SECRET_NAME, secret)
}

/// A secret from its row; one without the name of a key is not sealed yet.
fn open(
    keys: Option<&SecretKeys>,
    project: Uuid,
    bytes: Vec<u8>,
    key_id: Option<String>,
) -> Option<Vec<u8>> {
    match key_id {
        Some(key_id) => keys?.open_bytes(project, SECRET_NAME, &Sealed { key_id, bytes }),
        None => Some(bytes),
    }
}

/// Seals with the newest key whatever an older one sealed, or none. Projects are few, so all at once.
pub async fn reseal(db: &Db, keys: &SecretKeys) -> Result<Resealed, StoreError> {
    let mut result = Resealed::default();
    let rows = sqlx::query!(
        "select project_id, secret, key_id, previous, previous_key_id from callback_secret
         where key_id is distinct from $1
            or previous is not null and previous_key_id is distinct from $1",
        keys.newest_id()
    )
    .fetch_all(db.autocommit())
    .await?;
    for row in rows {
        let again = |bytes, key_id| {
            open(Some(keys), row.project_id, bytes, key_id)
                .map(|plain| seal(keys, ProjectId(row.project_id), &plain))
        };
        let Some(secret) = again(row.secret.clone(), row.key_id) else {
            result.unreadable += 1;
            continue;
        };
        // One that no key opens any more signs nothing, so it is let go.
        let previous = row.previous.and_then(|bytes| again(bytes, row.previous_key_id));
        let done = sqlx::query!(
            "update callback_secret
             set secret = $3, key_id = $4, previous = $5, previous_key_id = $6
             where project_id = $1 and secret = $2",
            row.project_id,
            row.secret,
            secret.bytes,
            secret.key_id,
            previous.as_ref().map(|sealed| &sealed.bytes),
            previous.as_ref().map(|sealed| &sealed.key_id),
        )
        .execute(db.autocommit())
        .await?;
        result.renewed += done.rows_affected();
    }
    Ok(result)
}

/// Gives a project a new secret. Returns when, and until when the one before signs too.
pub async fn rotate_secret(
    tx: &mut Tx,
    actor: Actor,
    project: ProjectId,
    secret: &Sealed,
) -> Result<(OffsetDateTime, Option<OffsetDateTime>), StoreError> {
    let row = sqlx::query!(
        "insert into callback_secret (project_id, tenant_id, secret, key_id, created_by)
         values ($1, $2, $3, $6, $4)
         on conflict (project_id) do update
         set previous = callback_secret.secret, previous_key_id = callback_secret.key_id,
             previous_until = now() + make_interval(hours => $5),
             secret = excluded.secret, key_id = excluded.key_id, created_by = excluded.created_by, created_at = now()
         where callback_secret.tenant_id = $2
         returning created_at, previous_until",
        project.0,
        actor.tenant.0,
        secret.bytes,
        actor.user.0,
        ROTATION_HOURS,
        secret.key_id,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((row.created_at, row.previous_until))
}
