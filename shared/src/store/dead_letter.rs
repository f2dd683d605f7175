//! Dead letters: async calls that failed for good, with nobody there to be told. They are the
//! executions themselves, marked until somebody has dealt with them: drives them again, as a new
//! execution, or lets them be. An outcome is never rewritten. `execution_report` lists them.

use super::{StoreError, Tx, execution_report::plan_for_values};
use crate::{
    domain::{Cause, ExecutionId, FunctionId, ProjectId, Reason, TenantId},
    queue::{Class, JobKind, NewJob, push_many},
};

/// A dead letter and the execution that repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redriven {
    /// Which one was dead.
    pub dead: ExecutionId,
    /// What runs in its place.
    pub again: ExecutionId,
}

/// Runs dead letters of the tenant again, each with the same version and input as a new execution.
/// Left alone are those whose function was deleted or whose version was given up, and those that
/// somebody else has dealt with.
pub async fn redrive(
    tx: &mut Tx,
    tenant: TenantId,
    dead: &[ExecutionId],
    cause: Cause,
) -> Result<Vec<Redriven>, StoreError> {
    let ids: Vec<_> = dead.iter().map(|id| id.0).collect();
    let new_ids: Vec<_> = dead.iter().map(|_| ExecutionId::new().0).collect();
    let mut rows = sqlx::query_file!(
        "src/store/dead_letter_redrive.sql",
        &ids,
        &new_ids,
        tenant.0,
        cause.request.0,
        cause.trace.to_string(),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.sort_by_key(|row| row.id);
    let jobs: Vec<_> = rows
        .iter()
        .map(|row| NewJob {
            kind: JobKind::Execute,
            class: Class::Async,
            subject: row.id,
            tenant,
            function: FunctionId(row.function_id),
            request: cause.request,
        })
        .collect();
    push_many(tx, &jobs).await?;
    let redriven = |dead, again| Redriven { dead: ExecutionId(dead), again: ExecutionId(again) };
    Ok(rows.into_iter().map(|row| redriven(row.dead, row.id)).collect())
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
