//! Claim: one statement takes the oldest ready jobs of the most urgent classes for a live lease.

use super::{
    job::{Claim, ClaimedJob},
    lease::LeaseId,
};
use crate::{
    domain::{RequestId, TenantId},
    store::{Db, StoreError},
};

/// How many jobs of each sort the worker can start at once; it never asks for more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeSlots {
    /// For sync and async calls.
    pub executions: u32,
    /// For builds, which have slots of their own so that they never hold up calls.
    pub builds: u32,
}

impl FreeSlots {
    /// True when nothing could be started.
    pub fn is_none(self) -> bool {
        self.executions == 0 && self.builds == 0
    }
}

/// Takes at most `free` ready jobs. An expired lease gets none.
pub async fn claim(
    db: &Db,
    lease: LeaseId,
    free: FreeSlots,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let rows = sqlx::query_file!(
        "src/queue/claim.sql",
        lease.0,
        i64::from(free.executions),
        i64::from(free.builds)
    )
    .fetch_all(db.pool())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ClaimedJob {
                claim: Claim { job_id: row.id, token: row.token },
                kind: row.kind.parse().map_err(StoreError::unreadable)?,
                subject: row.subject_id,
                tenant: TenantId(row.tenant_id),
                request: RequestId(row.request_id),
                attempt: row.attempt,
                redeliveries: row.redeliveries,
            })
        })
        .collect()
}
