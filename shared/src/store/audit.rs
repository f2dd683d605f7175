//! Who did what to which resource. Written in the transaction of what it records, never changed.

use uuid::Uuid;

use super::{StoreError, Tx};
use crate::domain::{RequestId, TenantId, UserId};

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Whose record it goes into.
    pub tenant: TenantId,
    /// Who did it.
    pub actor: UserId,
    /// What, as `resource.verb`.
    pub action: &'static str,
    /// To which resource.
    pub resource: Uuid,
    /// By which request.
    pub request: RequestId,
    /// From where.
    pub remote_addr: Option<String>,
}

/// Adds one row to the record.
pub async fn record(tx: &mut Tx, deed: Deed) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into audit (tenant_id, actor_id, action, resource_id, request_id, remote_addr)
         values ($1, $2, $3, $4, $5, $6)",
        deed.tenant.0,
        deed.actor.0,
        deed.action,
        deed.resource,
        deed.request.0,
        deed.remote_addr,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
