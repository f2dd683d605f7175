//! Cancel an execution or a build, however far it is. Asking twice changes nothing.

use super::{StoreError, Tx, build, db::word, execution};
use crate::{
    domain::{BuildId, ExecutionId, ExecutionStatus, TenantId},
    queue::{self, CancelledJob},
};

/// What a cancel did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It waited; it will not run. After the commit, say so with `Signals::finished`.
    AtOnce,
    /// It runs and will end within a second. After the commit, say so with
    /// `Signals::cancel_requested`.
    Asked,
    /// It is final already, as this.
    TooLate(ExecutionStatus),
}

/// Cancels an execution of the tenant; None when there is no such execution.
pub async fn cancel(
    tx: &mut Tx,
    tenant: TenantId,
    id: ExecutionId,
) -> Result<Option<Cancelled>, StoreError> {
    // First the job, then the execution: the order in which a settle takes them.
    match queue::cancel(tx, tenant, id.0).await? {
        CancelledJob::Removed => {
            execution::record_cancelled(tx, id).await?;
            Ok(Some(Cancelled::AtOnce))
        }
        CancelledJob::Asked => Ok(Some(Cancelled::Asked)),
        CancelledJob::NotLive => {
            let status = sqlx::query_scalar!(
                "select status from execution where id = $1 and tenant_id = $2",
                id.0,
                tenant.0
            )
            .fetch_optional(&mut **tx)
            .await?;
            status.as_deref().map(|status| Ok(Cancelled::TooLate(word(status)?))).transpose()
        }
    }
}

/// Cancels a build of the tenant. `Removed`: it will not run, and has failed as cancelled; after the
/// commit, say so with `Signals::finished`.
pub async fn cancel_build(
    tx: &mut Tx,
    tenant: TenantId,
    id: BuildId,
) -> Result<CancelledJob, StoreError> {
    let cancelled = queue::cancel(tx, tenant, id.0).await?;
    if cancelled == CancelledJob::Removed {
        build::record_cancelled(tx, id).await?;
    }
    Ok(cancelled)
}
