//! What serves, and what will: new functions, new versions, and going back to an earlier one. Every
//! change holds the function's row first, so changes of one function happen one after the other.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    StoreError, Tx,
    db::one_changed,
    function,
    project::effective_role,
    secret::{self, SecretChanges},
    version::{Version, VersionRow},
};
use crate::{
    domain::{
        Actor, BuildId, BuildStatus, Cause, Description, FunctionId, FunctionName, ProjectId, Role,
        SourceBundle, TenantId, UserId, VersionId, VersionNumber, VersionSettings,
    },
    queue::{Class, JobKind, NewJob, push},
};

/// A function to be created, with its first version.
#[derive(Debug)]
pub struct NewFunction<'a> {
    /// Its id, chosen beforehand because secrets are bound to it.
    pub id: FunctionId,
    /// Who owns it.
    pub project: ProjectId,
    /// Unique in the project, without regard to case.
    pub name: &'a FunctionName,
    /// What it is for.
    pub description: Option<&'a Description>,
    /// Of its first version.
    pub settings: &'a VersionSettings,
    /// Of its first version.
    pub secrets: &'a SecretChanges,
    /// Of its first version.
    pub source: &'a SourceBundle,
}

/// Creates a function, its version 1 with the source, and the build of it with its job; returns
/// when. None when the project has a function of this name.
pub async fn create(
    tx: &mut Tx,
    actor: Actor,
    cause: Cause,
    new: &NewFunction<'_>,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let created_at = sqlx::query_scalar!(
        "insert into function (id, tenant_id, project_id, name, description, status,
                               latest_version, created_by)
         values ($1, $2, $3, $4, $5, 'pending', 1, $6)
         on conflict (project_id, lower(name)) where deleted_at is null do nothing
         returning created_at",
        new.id.0,
        actor.tenant.0,
        new.project.0,
        new.name.as_str(),
        new.description.map_or("", Description::as_str),
        actor.user.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(created_at) = created_at else { return Ok(None) };
    let version = insert_version(tx, actor, new.id, 1, new.settings, None).await?;
    insert_source(tx, actor.tenant, version, new.source).await?;
    secret::insert(tx, actor.tenant, new.id, version, None, new.secrets).await?;
    queue_build(tx, actor, cause, new.id, version).await?;
    Ok(Some(created_at))
}

/// A function that nobody else changes until the transaction ends.
#[derive(Debug)]
pub struct Held {
    /// Which one.
    pub id: FunctionId,
    /// Who owns it.
    pub project: ProjectId,
    /// What it is called.
    pub name: String,
    /// What the asking user may do with it.
    pub role: Role,
    /// Who created it.
    pub created_by: UserId,
    /// What a change starts from: the version that is about to serve, else the one that does, else
    /// the newest.
    pub base: Version,
}

/// Takes hold of a function; None when it is not there for this user.
pub async fn hold(tx: &mut Tx, actor: Actor, id: FunctionId) -> Result<Option<Held>, StoreError> {
    let row = sqlx::query!(
        r#"select f.project_id, f.name, f.created_by,
                  t.role as "tenant_role?", m.role as "project_role?"
         from function f
         left join tenant_member t on t.tenant_id = f.tenant_id and t.user_id = $2
         left join project_member m on m.project_id = f.project_id and m.user_id = $2
         where f.id = $3 and f.tenant_id = $1 and f.deleted_at is null
           and (t.role is not null or m.role is not null)
         for no key update of f"#,
        actor.tenant.0,
        actor.user.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // A statement of its own: what others committed before the row was free must be seen.
    let base = sqlx::query_file_as!(VersionRow, "src/store/version_base.sql", actor.tenant.0, id.0)
        .fetch_one(&mut **tx)
        .await?;
    Ok(Some(Held {
        id,
        project: ProjectId(row.project_id),
        name: row.name,
        role: effective_role(row.tenant_role.as_deref(), row.project_role.as_deref())?,
        created_by: UserId(row.created_by),
        base: base.read()?,
    }))
}

/// What a new version is made of.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// All of them, changed or not.
    pub settings: &'a VersionSettings,
    /// Those that change.
    pub secrets: &'a SecretChanges,
    /// What is built, if anything.
    pub source: NewSource<'a>,
}

/// Where the program of a new version comes from.
#[derive(Debug)]
pub enum NewSource<'a> {
    /// A source that was sent.
    Sent(&'a SourceBundle),
    /// The base's source, built again.
    BuiltAgain,
    /// The base's build, whether it has ended or not: only settings change.
    Shared,
}

/// Adds a version. It serves at once when it shares a build that succeeded, else when its build
/// succeeds.
pub async fn add_version(
    tx: &mut Tx,
    actor: Actor,
    cause: Cause,
    held: &Held,
    new: &NewVersion<'_>,
) -> Result<VersionNumber, StoreError> {
    let number = sqlx::query_scalar!(
        "update function
         set latest_version = latest_version + 1, updated_at = now(),
             status = case when current_version is null then 'pending' else status end
         where id = $1
         returning latest_version",
        held.id.0
    )
    .fetch_one(&mut **tx)
    .await?;
    let shared = matches!(new.source, NewSource::Shared).then_some(held.base.id);
    let version = insert_version(tx, actor, held.id, number, new.settings, shared).await?;
    secret::insert(tx, actor.tenant, held.id, version, Some(held.base.id), new.secrets).await?;
    match new.source {
        NewSource::Sent(source) => {
            insert_source(tx, actor.tenant, version, source).await?;
            queue_build(tx, actor, cause, held.id, version).await?;
        }
        NewSource::BuiltAgain => {
            copy_source(tx, version, held.base.id).await?;
            queue_build(tx, actor, cause, held.id, version).await?;
        }
        NewSource::Shared => serve_if_built(tx, held.id, version).await?,
    }
    function::number(number)
}

/// Gives the function another name or description; they are no part of a version.
pub async fn rename(
    tx: &mut Tx,
    held: &Held,
    name: Option<&FunctionName>,
    description: Option<&Description>,
) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "update function
         set name = coalesce($2, name), description = coalesce($3, description), updated_at = now()
         where id = $1",
        held.id.0,
        name.map(FunctionName::as_str),
        description.map(Description::as_str),
    )
    .execute(&mut **tx)
    .await?;
    one_changed(&done, "a held function")
}

/// Lets an earlier or later version serve, without a build. False when that version has no binary,
/// or is none.
///
/// Builds that are still on their way do not take over any more: this is the later decision.
pub async fn roll_back(
    tx: &mut Tx,
    held: &Held,
    number: VersionNumber,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update function f
         set current_version = v.number, switch_floor = f.latest_version, status = 'active',
             updated_at = now()
         from function_version v
         where f.id = $1 and v.function_id = f.id and v.number = $2 and v.artifact_key is not null",
        held.id.0,
        number.get(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn insert_version(
    tx: &mut Tx,
    actor: Actor,
    function: FunctionId,
    number: i32,
    settings: &VersionSettings,
    shares_build_of: Option<VersionId>,
) -> Result<VersionId, StoreError> {
    let id = VersionId::new();
    let events: Vec<_> = settings.events.iter().map(|name| name.as_str().to_owned()).collect();
    sqlx::query!(
        "insert into function_version
             (id, tenant_id, function_id, number, created_by, runtime, timeout_seconds, memory_mib,
              trigger, events, env, max_concurrency, max_retries, retry_initial_delay_ms,
              retry_max_delay_ms, retry_backoff_factor, network, built_as, artifact_key)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $18,
                coalesce(base.built_as, base.id), base.artifact_key
         from (select 1) one left join function_version base on base.id = $17",
        id.0,
        actor.tenant.0,
        function.0,
        number,
        actor.user.0,
        settings.runtime.to_string(),
        i32::try_from(settings.timeout_seconds).unwrap_or(i32::MAX),
        i32::try_from(settings.memory_mib).unwrap_or(i32::MAX),
        settings.trigger.as_str(),
        &events,
        serde_json::to_value(&settings.env).map_err(StoreError::unreadable)?,
        settings.max_concurrency.map(|most| i32::try_from(most).unwrap_or(i32::MAX)),
        i16::try_from(settings.retry.max_retries).unwrap_or(i16::MAX),
        i32::try_from(settings.retry.initial_delay.as_millis()).unwrap_or(i32::MAX),
        i32::try_from(settings.retry.max_delay.as_millis()).unwrap_or(i32::MAX),
        settings.retry.backoff_factor,
        shares_build_of.map(|base| base.0) as Option<Uuid>,
        settings.network.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

async fn insert_source(
    tx: &mut Tx,
    tenant: TenantId,
    version: VersionId,
    source: &SourceBundle,
) -> Result<(), StoreError> {
    let bundle = serde_json::to_vec(source).map_err(StoreError::unreadable)?;
    sqlx::query!(
        "insert into function_source (version_id, tenant_id, bundle) values ($1, $2, $3)",
        version.0,
        tenant.0,
        bundle,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn copy_source(tx: &mut Tx, to: VersionId, from: VersionId) -> Result<(), StoreError> {
    let done = sqlx::query!(
        "insert into function_source (version_id, tenant_id, bundle)
         select $1, s.tenant_id, s.bundle
         from function_version v
         join function_source s on s.version_id = coalesce(v.built_as, v.id)
         where v.id = $2",
        to.0,
        from.0,
    )
    .execute(&mut **tx)
    .await?;
    one_changed(&done, "a version with a source")
}

async fn queue_build(
    tx: &mut Tx,
    actor: Actor,
    cause: Cause,
    function: FunctionId,
    version: VersionId,
) -> Result<(), StoreError> {
    let id = BuildId::new();
    sqlx::query!(
        "insert into build (id, tenant_id, function_id, version_id, status, request_id, traceparent)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.0,
        actor.tenant.0,
        function.0,
        version.0,
        BuildStatus::Pending.as_str(),
        cause.request.0,
        cause.trace.to_string(),
    )
    .execute(&mut **tx)
    .await?;
    let job = NewJob {
        kind: JobKind::Compile,
        class: Class::Build,
        subject: id.0,
        tenant: actor.tenant,
        function,
        request: cause.request,
    };
    push(tx, job).await
}

/// A version that shares a finished build serves from now on.
async fn serve_if_built(
    tx: &mut Tx,
    function: FunctionId,
    version: VersionId,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update function f
         set status = 'active', current_version = v.number, switch_floor = v.number
         from function_version v
         where f.id = $1 and v.id = $2 and v.artifact_key is not null",
        function.0,
        version.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
