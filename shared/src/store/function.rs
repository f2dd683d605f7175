//! Functions as the API sees them: create one with its first version and build, read them.

use time::OffsetDateTime;

use super::{Db, StoreError, Tx, db::word, project::effective_role};
use crate::{
    domain::{
        Actor, BuildId, Description, FunctionId, FunctionName, FunctionStatus, IdCursor, PageSize,
        ProjectId, RequestId, Role, Runtime, SourceBundle, TenantId, Trigger, VersionId,
    },
    queue::{Class, JobKind, NewJob, push},
};

/// A function to be created, with its first version.
#[derive(Debug)]
pub struct NewFunction<'a> {
    /// Who owns it.
    pub project: ProjectId,
    /// Unique in the project, without regard to case.
    pub name: &'a FunctionName,
    /// What it is for.
    pub description: Option<&'a Description>,
    /// What calls it.
    pub trigger: Trigger,
    /// What its source is written in.
    pub runtime: Runtime,
    /// Wall-clock limit of a call.
    pub timeout_seconds: u32,
    /// Memory limit of a call.
    pub memory_mib: u32,
    /// The source.
    pub source: &'a SourceBundle,
}

/// What was created.
#[derive(Debug, Clone, Copy)]
pub struct CreatedFunction {
    /// The function.
    pub id: FunctionId,
    /// When.
    pub created_at: OffsetDateTime,
}

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

/// Creates a function, its version 1 with the source, and the build of it with its job. None when
/// the project has a function of this name.
pub async fn create(
    tx: &mut Tx,
    actor: Actor,
    request: RequestId,
    new: &NewFunction<'_>,
) -> Result<Option<CreatedFunction>, StoreError> {
    let id = FunctionId::new();
    let created_at = sqlx::query_scalar!(
        "insert into function (id, tenant_id, project_id, name, description, trigger, status,
                               latest_version, created_by)
         values ($1, $2, $3, $4, $5, $6, 'pending', 1, $7)
         on conflict (project_id, lower(name)) where deleted_at is null do nothing
         returning created_at",
        id.0,
        actor.tenant.0,
        new.project.0,
        new.name.as_str(),
        new.description.map_or("", Description::as_str),
        new.trigger.as_str(),
        actor.user.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(created_at) = created_at else { return Ok(None) };
    let version = insert_version(tx, actor, id, 1, new).await?;
    queue_build(tx, actor, request, id, version).await?;
    Ok(Some(CreatedFunction { id, created_at }))
}

async fn insert_version(
    tx: &mut Tx,
    actor: Actor,
    function: FunctionId,
    number: i32,
    new: &NewFunction<'_>,
) -> Result<VersionId, StoreError> {
    let id = VersionId::new();
    sqlx::query!(
        "insert into function_version (id, tenant_id, function_id, number, runtime,
                                       timeout_seconds, memory_mib, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id.0,
        actor.tenant.0,
        function.0,
        number,
        new.runtime.to_string(),
        i32::try_from(new.timeout_seconds).unwrap_or(i32::MAX),
        i32::try_from(new.memory_mib).unwrap_or(i32::MAX),
        actor.user.0,
    )
    .execute(&mut **tx)
    .await?;
    let bundle = serde_json::to_vec(new.source).map_err(StoreError::unreadable)?;
    sqlx::query!(
        "insert into function_source (version_id, tenant_id, bundle) values ($1, $2, $3)",
        id.0,
        actor.tenant.0,
        bundle,
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

async fn queue_build(
    tx: &mut Tx,
    actor: Actor,
    request: RequestId,
    function: FunctionId,
    version: VersionId,
) -> Result<(), StoreError> {
    let id = BuildId::new();
    sqlx::query!(
        "insert into build (id, tenant_id, function_id, version_id, status, request_id)
         values ($1, $2, $3, $4, 'pending', $5)",
        id.0,
        actor.tenant.0,
        function.0,
        version.0,
        request.0,
    )
    .execute(&mut **tx)
    .await?;
    let job = NewJob {
        kind: JobKind::Compile,
        class: Class::Build,
        subject: id.0,
        tenant: actor.tenant,
        function,
        request,
    };
    push(tx, job).await
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
    pub version: i32,
    /// What that version is written in.
    pub runtime: String,
    /// Wall-clock limit of a call of that version.
    pub timeout_seconds: u32,
    /// Memory limit of a call of that version.
    pub memory_mib: u32,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When its status, version or settings changed last.
    pub updated_at: OffsetDateTime,
}

/// Which functions to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Of one project only.
    pub project: Option<ProjectId>,
    /// In one status only.
    pub status: Option<FunctionStatus>,
}

/// One function; None when it is not there for this user.
pub async fn find(db: &Db, actor: Actor, id: FunctionId) -> Result<Option<Function>, StoreError> {
    let mut tx = db.begin_for(actor.tenant).await?;
    let row = sqlx::query_file_as!(
        Row,
        "src/store/function_find.sql",
        actor.tenant.0,
        actor.user.0,
        id.0
    )
    .fetch_optional(&mut *tx)
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
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/function_list.sql",
        actor.tenant.0,
        actor.user.0,
        filter.project.map(|project| project.0),
        filter.status.map(FunctionStatus::as_str),
        behind.map(|cursor| cursor.0),
        size.and_one(),
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
    runtime: String,
    timeout_seconds: i32,
    memory_mib: i32,
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
            version: self.version,
            runtime: self.runtime,
            timeout_seconds: self.timeout_seconds.unsigned_abs(),
            memory_mib: self.memory_mib.unsigned_abs(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
