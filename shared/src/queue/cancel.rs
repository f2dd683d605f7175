//! Cancel: a job that waits is taken out of the line, one that runs is asked to end.

use uuid::Uuid;

use super::JobKind;
use crate::{
    domain::{FunctionId, TenantId},
    store::{StoreError, Tx},
};

/// What a cancel found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelledJob {
    /// It waited; now it is gone, and the caller records that in this transaction.
    Removed,
    /// It runs; its worker will settle it as cancelled. After the commit, say so with
    /// `Signals::cancel_requested`; without that the worker's next beat tells it.
    Asked,
    /// No job of this tenant is about this row: it is final already, or never was.
    NotLive,
}

/// Cancels the job that is about `subject`, if it is the tenant's. Asking twice changes nothing.
pub async fn cancel(
    tx: &mut Tx,
    tenant: TenantId,
    subject: Uuid,
) -> Result<CancelledJob, StoreError> {
    // Twice, because a deferred job may become ready between the looks at the two tables.
    for _ in 0..2 {
        let removed = sqlx::query_scalar!(
            "with waiting as (
                 delete from q.later where subject_id = $1 and tenant_id = $2 returning class
             ),
             ready as (
                 delete from q.job where subject_id = $1 and tenant_id = $2 and lease_id is null
                 returning class
             )
             select class from waiting union all select class from ready",
            subject,
            tenant.0
        )
        .fetch_optional(&mut **tx)
        .await?;
        if removed.is_some() {
            return Ok(CancelledJob::Removed);
        }
        let asked = sqlx::query!(
            "update q.job set cancel_requested = true where subject_id = $1 and tenant_id = $2",
            subject,
            tenant.0
        )
        .execute(&mut **tx)
        .await?
        .rows_affected();
        if asked == 1 {
            return Ok(CancelledJob::Asked);
        }
    }
    Ok(CancelledJob::NotLive)
}

/// Takes up to `limit` jobs of a function that wait, due or not, out of the line, and says what they
/// are about; the caller records that in this transaction. Steps over those that are claimed or
/// cancelled at this moment.
pub async fn remove_waiting(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    limit: i64,
) -> Result<Vec<(JobKind, Uuid)>, StoreError> {
    let rows = sqlx::query!(
        r#"with waiting as (
             delete from q.later where subject_id in (
                 select subject_id from q.later where tenant_id = $1 and function_id = $2
                 limit $3 for update skip locked)
             returning kind, subject_id
         ),
         ready as (
             delete from q.job where id in (
                 select id from q.job
                 where class in (0, 1, 2) and tenant_id = $1 and function_id = $2
                   and lease_id is null
                 limit $3 for update skip locked)
             returning kind, subject_id
         )
         select kind as "kind!", subject_id as "subject_id!" from waiting
         union all
         select kind, subject_id from ready"#,
        tenant.0,
        function.0,
        limit,
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.kind.parse().map_err(StoreError::unreadable)?, row.subject_id)))
        .collect()
}
