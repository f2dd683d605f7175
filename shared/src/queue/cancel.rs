//! Cancel: a job that waits is taken out of the line, one that runs is asked to end.

use uuid::Uuid;

use crate::{
    domain::TenantId,
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
