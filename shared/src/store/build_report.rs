//! Builds as the API shows them: state, log and diagnostics of one compile job.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{StoreError, Tx, db::word, toolchain};
use crate::domain::{BuildId, BuildStatus, Diagnostic, FunctionId, RequestId, TenantId};

/// One build, with everything the compiler said.
#[derive(Debug)]
pub struct BuildReport {
    /// Which one.
    pub id: BuildId,
    /// Of which version.
    pub version: i32,
    /// How far it is.
    pub status: BuildStatus,
    /// Why it failed, one word.
    pub reason: Option<String>,
    /// Why it failed, or what it waits for, for people.
    pub message: Option<String>,
    /// What the compiler said, as data.
    pub diagnostics: Vec<Diagnostic>,
    /// What the compiler said, as text.
    pub log: String,
    /// True when it said more than was kept.
    pub log_truncated: bool,
    /// What compiled it, once it succeeded.
    pub toolchain: Option<String>,
    /// True when nothing had to be compiled.
    pub cached: bool,
    /// When it was asked for.
    pub queued_at: OffsetDateTime,
    /// When a worker took it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub completed_at: Option<OffsetDateTime>,
}

/// One build of a function.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    id: BuildId,
) -> Result<Option<BuildReport>, StoreError> {
    read(tx, tenant, function, Some(id.0)).await
}

/// The function that a build belongs to.
pub async fn function_of(
    tx: &mut Tx,
    tenant: TenantId,
    id: BuildId,
) -> Result<Option<FunctionId>, StoreError> {
    let found = sqlx::query_scalar!(
        "select function_id from build where id = $1 and tenant_id = $2",
        id.0,
        tenant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(FunctionId))
}

/// The newest builds that came with a request, and their functions; at most ten.
pub async fn of_request(
    tx: &mut Tx,
    tenant: TenantId,
    request: RequestId,
) -> Result<Vec<(BuildId, FunctionId)>, StoreError> {
    let rows = sqlx::query!(
        "select id, function_id from build where request_id = $1 and tenant_id = $2
         order by id desc limit 10",
        request.0,
        tenant.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|row| (BuildId(row.id), FunctionId(row.function_id))).collect())
}

/// The build of the function's newest version.
pub async fn latest(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
) -> Result<Option<BuildReport>, StoreError> {
    read(tx, tenant, function, None).await
}

async fn read(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    id: Option<Uuid>,
) -> Result<Option<BuildReport>, StoreError> {
    let row = sqlx::query!(
        "select b.id, v.number, b.status, b.reason, b.message, b.diagnostics, b.log,
                b.log_truncated, b.toolchain, b.cached, b.queued_at, b.started_at, b.completed_at,
                v.runtime
         from build b join function_version v on v.id = b.version_id
         where b.function_id = $1 and b.tenant_id = $2 and ($3::uuid is null or b.id = $3)
         order by b.id desc
         limit 1",
        function.0,
        tenant.0,
        id,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let status = word(&row.status)?;
    let waits_for = match status {
        BuildStatus::Pending => {
            toolchain::missing(tx, row.runtime.parse().map_err(StoreError::unreadable)?).await?
        }
        _ => None,
    };
    Ok(Some(BuildReport {
        id: BuildId(row.id),
        version: row.number,
        status,
        reason: row.reason,
        message: row.message.or(waits_for),
        diagnostics: serde_json::from_value(row.diagnostics).map_err(StoreError::unreadable)?,
        log: row.log,
        log_truncated: row.log_truncated,
        toolchain: row.toolchain,
        cached: row.cached,
        queued_at: row.queued_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
    }))
}
