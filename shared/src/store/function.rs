//! Functions as the API sees them. How they change is told in `deploy`.

use time::OffsetDateTime;

use super::{
    Db, StoreError, Tx, db::word, execution_report::plan_for_values, project::effective_role,
};
use crate::domain::{
    Actor, FunctionId, FunctionStatus, IdCursor, NetworkAccess, PageSize, ProjectId, Role,
    TenantId, Trigger, UserId, VersionNumber,
};

/// How many functions a tenant has. Exact while `account::lock_plan` is held.
pub async fn count(tx: &mut Tx, tenant: TenantId) -> Result<u32, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from function where tenant_id = $1 and deleted_at is null"#,
        tenant.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A function, as one user sees it, with the settings of the version that serves, or of the newest
/// while none does.
#[derive(Debug)]
pub struct Function {
    /// Which one.
    pub id: FunctionId,
    /// Who owns it.
    pub project: ProjectId,
    /// What the asking user may do with it.
    pub role: Role,
    /// Unique in the project.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What calls it.
    pub trigger: Trigger,
    /// Whether it can be called.
    pub status: FunctionStatus,
    /// The version that serves, or the newest while none does.
    pub version: VersionNumber,
    /// The newest, whether it serves or not.
    pub latest_version: VersionNumber,
    /// Who created it.
    pub created_by: UserId,
    /// What that version is written in.
    pub runtime: String,
    /// Wall-clock limit of a call of that version.
    pub timeout_seconds: u32,
    /// Memory limit of a call of that version.
    pub memory_mib: u32,
    /// What a call of that version can reach.
    pub network: NetworkAccess,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When its status, version or settings changed last.
    pub updated_at: OffsetDateTime,
}

/// Which functions to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of one project only.
    pub project: Option<ProjectId>,
    /// In one status only.
    pub status: Option<FunctionStatus>,
    /// With this text in their name, without regard to case.
    pub name: Option<String>,
}

/// One function; None when it is not there for this user.
pub async fn find(
    tx: &mut Tx,
    actor: Actor,
    id: FunctionId,
) -> Result<Option<Function>, StoreError> {
    let row = sqlx::query_file_as!(
        Row,
        "src/store/function_find.sql",
        actor.tenant.0,
        actor.user.0,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Row::read).transpose()
}

/// The functions a user can see, newest first.
pub async fn list(
    db: &Db,
    actor: Actor,
    filter: Filter,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Function>, StoreError> {
    let mut tx = db.begin_for(actor.tenant).await?;
    plan_for_values(&mut tx).await?;
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/function_list.sql",
        actor.tenant.0,
        actor.user.0,
        filter.project.map(|project| project.0),
        filter.status.map(FunctionStatus::as_str),
        behind.map(|cursor| cursor.0),
        size.and_one(),
        filter.name,
    )
    .fetch_all(&mut *tx)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// What both queries answer.
struct Row {
    id: uuid::Uuid,
    project_id: uuid::Uuid,
    name: String,
    description: String,
    trigger: String,
    status: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    version: i32,
    latest_version: i32,
    created_by: uuid::Uuid,
    runtime: String,
    timeout_seconds: i32,
    memory_mib: i32,
    network: String,
    tenant_role: Option<String>,
    project_role: Option<String>,
}

impl Row {
    fn read(self) -> Result<Function, StoreError> {
        Ok(Function {
            id: FunctionId(self.id),
            project: ProjectId(self.project_id),
            role: effective_role(self.tenant_role.as_deref(), self.project_role.as_deref())?,
            name: self.name,
            description: self.description,
            trigger: word(&self.trigger)?,
            status: word(&self.status)?,
            version: number(self.version)?,
            latest_version: number(self.latest_version)?,
            created_by: UserId(self.created_by),
            runtime: self.runtime,
            timeout_seconds: self.timeout_seconds.unsigned_abs(),
            memory_mib: self.memory_mib.unsigned_abs(),
            network: word(&self.network)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// Reads back the number of a version.
pub(super) fn number(number: i32) -> Result<VersionNumber, StoreError> {
    number.to_string().parse().map_err(StoreError::unreadable)
}
