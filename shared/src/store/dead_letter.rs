//! Dead letters: async calls that failed for good, with nobody there to be told. They are the
//! executions themselves, marked until somebody has dealt with them: drives them again, as a new
//! execution, or lets them be. An outcome is never rewritten. `execution_report` lists them.

use super::{StoreError, Tx, execution_report::plan_for_values};
use crate::{
    domain::{Cause, ExecutionId, FunctionId, ProjectId, Reason, TenantId},
    queue::{Class, JobKind, NewJob, push},
};

/// Runs a dead letter again: the same version and input as a new execution, whose id is returned.
/// None when it is no dead letter of the tenant, or somebody else was faster.
pub async fn redrive(
    tx: &mut Tx,
    tenant: TenantId,
    dead: ExecutionId,
    cause: Cause,
) -> Result<Option<ExecutionId>, StoreError> {
    let id = ExecutionId::new();
    let function = sqlx::query_scalar!(
        "with dead as (
             update execution set dead_letter = false
             where id = $1 and tenant_id = $2 and dead_letter
             returning *
         )
         insert into execution (id, tenant_id, project_id, function_id, version_id, version_number,
                                mode, status, input, created_by, request_id, timeout_ms,
                                callback_url, replay_of, traceparent)
         select $3, tenant_id, project_id, function_id, version_id, version_number,
                mode, 'pending', input, created_by, $4, timeout_ms, callback_url, id, $5
         from dead
         returning function_id",
        dead.0,
        tenant.0,
        id.0,
        cause.request.0,
        cause.trace.to_string(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(function) = function else { return Ok(None) };
    let job = NewJob {
        kind: JobKind::Execute,
        class: Class::Async,
        subject: id.0,
        tenant,
        function: FunctionId(function),
        request: cause.request,
    };
    push(tx, job).await?;
    Ok(Some(id))
}

/// Takes dead letters off the list; they stay in the history like any failed execution. Says how
/// many of the tenant's they were.
pub async fn purge(tx: &mut Tx, tenant: TenantId, dead: &[ExecutionId]) -> Result<u64, StoreError> {
    let ids: Vec<_> = dead.iter().map(|id| id.0).collect();
    let purged = sqlx::query!(
        "update execution set dead_letter = false
         where id = any($1) and tenant_id = $2 and dead_letter",
        &ids,
        tenant.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(purged.rows_affected())
}

/// Which dead letters of a project: all conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// These only.
    pub ids: Option<Vec<ExecutionId>>,
    /// Of this function only.
    pub function: Option<FunctionId>,
    /// That ended so only.
    pub reason: Option<Reason>,
}

/// The oldest dead letters that match, at most `room` of them, and how many match in all. Whoever
/// asks has been let in to the project.
pub async fn matching(
    tx: &mut Tx,
    tenant: TenantId,
    project: ProjectId,
    which: &Which,
    room: u32,
) -> Result<(Vec<ExecutionId>, u64), StoreError> {
    plan_for_values(tx).await?;
    let ids = which.ids.as_ref().map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>());
    let rows = sqlx::query!(
        r#"select id, count(*) over () as "matched!"
           from execution
           where project_id = $1 and tenant_id = $2 and dead_letter
             and ($3::uuid[] is null or id = any ($3))
             and ($4::uuid is null or function_id = $4)
             and ($5::text is null or reason = $5)
           order by id
           limit $6"#,
        project.0,
        tenant.0,
        ids.as_deref() as Option<&[uuid::Uuid]>,
        which.function.map(|id| id.0),
        which.reason.map(Reason::as_str),
        i64::from(room),
    )
    .fetch_all(&mut **tx)
    .await?;
    let matched = rows.first().map_or(0, |row| row.matched.unsigned_abs());
    Ok((rows.into_iter().map(|row| ExecutionId(row.id)).collect(), matched))
}
