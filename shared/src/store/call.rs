//! Calls on their way in: accept new ones, run an old one again.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Db, StoreError, Tx, TxNumber, db::word, project::effective_role};
use crate::{
    domain::{
        Actor, CallbackUrl, Cause, ExecutionId, ExecutionMode, FunctionId, FunctionStatus,
        JsonText, Plan, ProjectId, Role, TenantId, VersionNumber,
    },
    queue::{CallLimits, Class, JobKind, NewJob, push_many},
};

/// Calls to be accepted, all of them or none.
#[derive(Debug)]
pub struct NewCalls<'a> {
    /// What the function is given each time, and the id of each call, chosen beforehand so that its
    /// end can be watched for.
    pub calls: &'a [(ExecutionId, JsonText)],
    /// Of which function.
    pub function: FunctionId,
    /// What the caller must be in its project, or more.
    pub least_role: Role,
    /// Whether somebody waits for the answer.
    pub mode: ExecutionMode,
    /// The request they came with.
    pub cause: Cause,
    /// What the caller asks for besides.
    pub terms: Terms,
}

/// What a caller may ask for besides the call itself; nothing by default.
#[derive(Debug, Default)]
pub struct Terms {
    /// Of this version instead of the one that serves.
    pub version: Option<VersionNumber>,
    /// A shorter limit than the version's own; a longer one changes nothing.
    pub timeout: Option<Duration>,
    /// Not to be started at once.
    pub start: Start,
    /// To be told how each call ended.
    pub callback: Option<CallbackUrl>,
    /// Refuses calls that would have to wait for others to end.
    pub only_within: Option<Room>,
}

/// What must be free for a call that does not want to wait.
#[derive(Debug)]
pub struct Room {
    /// How many calls may run at once.
    pub limits: CallLimits,
    /// So many more than the call needs. Calls that are accepted at the same moment do not see each
    /// other: with as many to spare as can be, none of them is one too many. 0 is for a call that
    /// waited for the others near the limit, by `in_turn`.
    pub to_spare: u32,
}

/// When a call may start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Start {
    /// As soon as a worker is free.
    #[default]
    Now,
    /// After this time, by the database's clock.
    After(Duration),
    /// At this moment.
    At(OffsetDateTime),
}

/// A function that is called, as it is for who calls.
#[derive(Debug)]
pub struct Callee {
    /// Which one.
    pub id: FunctionId,
    /// Who owns it.
    pub project: ProjectId,
    /// Unique in the project.
    pub name: String,
    /// Whether it can be called.
    pub status: FunctionStatus,
    /// What the caller may do with it.
    pub role: Role,
    /// Wall-clock limit of the version that is called; None when there is no such version.
    pub timeout_seconds: Option<u32>,
}

/// What was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// In which transaction.
    pub number: TxNumber,
    /// The version that will run, whatever is deployed meanwhile.
    pub version: i32,
    /// Not before; None: at once.
    pub run_at: Option<OffsetDateTime>,
}

/// Inserts executions of the version that serves at this moment, and their jobs, in one trip to the
/// database. None when the function is not there for this caller. Nothing was accepted when the caller's
/// role is too low, the version's own time limit is shorter, no version serves or, under `only_within`,
/// there is no room: the insert itself demands all of it.
pub async fn accept(
    tx: &mut Tx,
    actor: Actor,
    new: &NewCalls<'_>,
) -> Result<Option<(Callee, Option<Accepted>)>, StoreError> {
    if let Some(number) = new.terms.version {
        keep_version(tx, new.function, number).await?;
    }
    let ids: Vec<_> = new.calls.iter().map(|(id, _)| id.0).collect();
    let inputs: Vec<_> = new.calls.iter().map(|(_, input)| input.as_str().to_owned()).collect();
    let (after, at) = match new.terms.start {
        Start::Now => (None, None),
        Start::After(delay) => (Some(delay.as_secs_f64()), None),
        Start::At(moment) => (None, Some(moment)),
    };
    let roles = Role::ALL.iter().filter(|role| role.covers(new.least_role));
    let roles: Vec<_> = roles.map(|role| role.as_str().to_owned()).collect();
    let row = sqlx::query_file!(
        "src/store/call_accept.sql",
        &ids,
        &inputs,
        new.function.0,
        actor.tenant.0,
        new.mode.as_str(),
        actor.user.0,
        new.cause.request.0,
        new.terms.timeout.map(whole_milliseconds),
        after,
        at,
        new.terms.callback.as_ref().map(CallbackUrl::as_str),
        new.terms.only_within.as_ref().map(|room| room.limits.by_plan()),
        new.terms.version.map(VersionNumber::get),
        new.cause.trace.to_string(),
        JobKind::Execute.as_str(),
        class_of(new.mode) as i16,
        new.terms.only_within.as_ref().map_or(0, |room| i64::from(room.to_spare)),
        &roles,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let callee = Callee {
        id: new.function,
        project: ProjectId(row.project_id),
        name: row.name,
        status: word(&row.status)?,
        role: effective_role(row.tenant_role.as_deref(), row.project_role.as_deref())?,
        timeout_seconds: row.timeout_seconds.map(i32::unsigned_abs),
    };
    let accepted = row.version_number.zip(row.number).map(|(version, number)| Accepted {
        number: TxNumber(number),
        version,
        run_at: row.run_at,
    });
    if let Some(run_at) = accepted.as_ref().and_then(|accepted| accepted.run_at) {
        put_off(tx, actor.tenant, new, &ids, run_at).await?;
    }
    Ok(Some((callee, accepted)))
}

/// Queues calls that do not start now.
async fn put_off(
    tx: &mut Tx,
    tenant: TenantId,
    new: &NewCalls<'_>,
    ids: &[Uuid],
    run_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into q.later (kind, subject_id, class, tenant_id, function_id, request_id, attempt,
                              redeliveries, cancel_requested, enqueued_at, due_at)
         select $2, id, $3, $4, $5, $6, 1, 0, false, now(), $7 from unnest($1::uuid[]) id",
        ids,
        JobKind::Execute.as_str(),
        class_of(new.mode) as i16,
        tenant.0,
        new.function.0,
        new.cause.request.0,
        run_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Waits until every call of the tenant that was let in so is committed or refused, and keeps others out
/// until this transaction ends. Statements that come after it count what is true; one that was under
/// way while it waited would not.
pub async fn in_turn(tx: &mut Tx, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 0))", tenant.0.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Until the transaction ends nobody gives the version up; afterwards the call's job keeps it. What
/// serves needs no such lock: it is given up some time after it served last.
async fn keep_version(
    tx: &mut Tx,
    function: FunctionId,
    number: VersionNumber,
) -> Result<(), StoreError> {
    sqlx::query!(
        "select id from function_version where function_id = $1 and number = $2 for share",
        function.0,
        number.get(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(())
}

fn class_of(mode: ExecutionMode) -> Class {
    match mode {
        ExecutionMode::Sync => Class::Sync,
        ExecutionMode::Async => Class::Async,
    }
}

fn whole_milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// What became of a wish to run an execution again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It will run as this one.
    As(ExecutionId),
    /// The function was deleted, or the version's binary is gone.
    NothingToRun,
}

/// Runs an execution of the tenant again, as a new async one: same version, same input. Whoever asks
/// has been let in to the execution.
pub async fn replay(
    tx: &mut Tx,
    actor: Actor,
    of: ExecutionId,
    cause: Cause,
) -> Result<Replayed, StoreError> {
    let id = ExecutionId::new();
    let function = sqlx::query_scalar!(
        // The lock: until this transaction ends nobody gives the version up.
        "with kept as (
             select v.id from execution e join function_version v on v.id = e.version_id
             where e.id = $1 and e.tenant_id = $2 and v.artifact_key is not null
             for share of v
         )
         insert into execution (id, tenant_id, project_id, function_id, version_id, version_number,
                                mode, status, input, created_by, request_id, timeout_ms, replay_of,
                                traceparent)
         select $4, e.tenant_id, e.project_id, e.function_id, e.version_id, e.version_number,
                'async', 'pending', e.input, $3, $5, e.timeout_ms, e.id, $6
         from execution e
         join function f on f.id = e.function_id and f.deleted_at is null
         join kept on kept.id = e.version_id
         where e.id = $1 and e.tenant_id = $2
         returning function_id",
        of.0,
        actor.tenant.0,
        actor.user.0,
        id.0,
        cause.request.0,
        cause.trace.to_string(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(function) = function else { return Ok(Replayed::NothingToRun) };
    let job = NewJob {
        kind: JobKind::Execute,
        class: Class::Async,
        subject: id.0,
        tenant: actor.tenant,
        function: FunctionId(function),
        request: cause.request,
    };
    push_many(tx, &[job]).await?;
    Ok(Replayed::As(id))
}

/// How many calls a tenant has running, or waiting with somebody waiting for them, and how many of
/// those are of one function.
#[derive(Debug, Clone, Copy)]
pub struct Busy {
    /// What the tenant pays for, and so its limit.
    pub plan: Plan,
    /// Over the tenant.
    pub of_tenant: u32,
    /// Of the function.
    pub of_function: u32,
    /// What the version that serves allows at once; None: the tenant's limit alone.
    pub max_concurrency: Option<u32>,
}

/// Why a sync call found no room: what is busy at this moment.
pub async fn busy(tx: &mut Tx, tenant: TenantId, function: FunctionId) -> Result<Busy, StoreError> {
    let row = sqlx::query!(
        r#"with live as (
             select function_id from q.job
             where lease_id is not null and tenant_id = $1 and class < 2
             union all
             select function_id from q.job where lease_id is null and class = 0 and tenant_id = $1
         )
         select t.plan,
                (select count(*) from live) as "of_tenant!",
                (select count(*) from live where function_id = $2) as "of_function!",
                (select v.max_concurrency from function f
                 join function_version v on v.function_id = f.id and v.number = f.current_version
                 where f.id = $2 and f.tenant_id = $1) as max_concurrency
         from tenant t where t.id = $1"#,
        tenant.0,
        function.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(Busy {
        plan: word(&row.plan)?,
        of_tenant: count(row.of_tenant),
        of_function: count(row.of_function),
        max_concurrency: row.max_concurrency.map(i32::unsigned_abs),
    })
}

/// How many calls of a tenant run at this moment.
pub async fn running(db: &Db, tenant: TenantId) -> Result<u32, StoreError> {
    let running = sqlx::query_scalar!(
        r#"select count(*) as "running!" from q.job
           where lease_id is not null and tenant_id = $1 and class < 2"#,
        tenant.0
    )
    .fetch_one(db.autocommit_for(tenant))
    .await?;
    Ok(u32::try_from(running).unwrap_or(u32::MAX))
}
