//! Projects: the unit of ownership and roles. Everything is read as somebody: a project that the
//! asking user has no role in does not exist for them.

use time::OffsetDateTime;

use super::{Db, StoreError, Tx, db::word, invitation, member, project_token};
use crate::domain::{Actor, IdCursor, PageSize, ProjectId, ProjectName, Role, TenantId};

/// A project, as one user sees it.
#[derive(Debug)]
pub struct Project {
    /// Which one.
    pub id: ProjectId,
    /// Unique in the tenant, without regard to case.
    pub name: String,
    /// What the asking user may do here.
    pub role: Role,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

/// Creates a project. None when the tenant has one of this name.
pub async fn create(
    tx: &mut Tx,
    actor: Actor,
    name: &ProjectName,
) -> Result<Option<(ProjectId, OffsetDateTime)>, StoreError> {
    let id = ProjectId::new();
    let created_at = sqlx::query_scalar!(
        "insert into project (id, tenant_id, name, created_by) values ($1, $2, $3, $4)
         on conflict (tenant_id, lower(name)) where deleted_at is null do nothing
         returning created_at",
        id.0,
        actor.tenant.0,
        name.as_str(),
        actor.user.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(created_at) = created_at else { return Ok(None) };
    member::set_role(tx, actor.tenant, id, actor.user, Role::Owner).await?;
    Ok(Some((id, created_at)))
}

/// What became of a new name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renamed {
    /// It is the project's name now.
    Done,
    /// Another project of the tenant has it.
    Taken,
    /// There is no such project any more.
    Gone,
}

/// Gives a project another name.
pub async fn rename(
    tx: &mut Tx,
    tenant: TenantId,
    id: ProjectId,
    name: &ProjectName,
) -> Result<Renamed, StoreError> {
    let renamed = sqlx::query!(
        "update project set name = $3 where id = $1 and tenant_id = $2 and deleted_at is null",
        id.0,
        tenant.0,
        name.as_str(),
    )
    .execute(&mut **tx)
    .await
    .map_err(StoreError::from);
    match renamed {
        Ok(done) if done.rows_affected() == 1 => Ok(Renamed::Done),
        Ok(_) => Ok(Renamed::Gone),
        Err(error) if error.violated_constraint() == Some("project_name") => Ok(Renamed::Taken),
        Err(error) => Err(error),
    }
}

/// Deletes a project softly: its functions go with it, its tokens and invitations are worthless
/// from now on. False when there is no such project any more.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: ProjectId) -> Result<bool, StoreError> {
    let deleted = sqlx::query!(
        "update project set deleted_at = now()
         where id = $1 and tenant_id = $2 and deleted_at is null",
        id.0,
        tenant.0,
    )
    .execute(&mut **tx)
    .await?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "update function set deleted_at = now() where project_id = $1 and deleted_at is null",
        id.0
    )
    .execute(&mut **tx)
    .await?;
    invitation::revoke_all(tx, id).await?;
    project_token::revoke_all(tx, id).await?;
    Ok(true)
}

/// One project; None when it is not there for this user.
pub async fn find(db: &Db, actor: Actor, id: ProjectId) -> Result<Option<Project>, StoreError> {
    let row = sqlx::query!(
        r#"select p.name, p.created_at, t.role as "tenant_role?", m.role as "project_role?"
         from project p
         left join tenant_member t on t.tenant_id = p.tenant_id and t.user_id = $2
         left join project_member m on m.project_id = p.id and m.user_id = $2
         where p.id = $3 and p.tenant_id = $1 and p.deleted_at is null
           and (t.role is not null or m.role is not null)"#,
        actor.tenant.0,
        actor.user.0,
        id.0,
    )
    .fetch_optional(db.autocommit_for(actor.tenant))
    .await?;
    row.map(|row| {
        Ok(Project {
            id,
            name: row.name,
            role: effective_role(row.tenant_role.as_deref(), row.project_role.as_deref())?,
            created_at: row.created_at,
        })
    })
    .transpose()
}

/// Keeps a project from being deleted until the transaction ends; false when it is gone already.
pub async fn hold(tx: &mut Tx, tenant: TenantId, id: ProjectId) -> Result<bool, StoreError> {
    let held = sqlx::query!(
        "select id from project where id = $1 and tenant_id = $2 and deleted_at is null for share",
        id.0,
        tenant.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(held.is_some())
}

/// The projects a user can see, newest first.
pub async fn list(
    db: &Db,
    actor: Actor,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Project>, StoreError> {
    let rows = sqlx::query!(
        r#"select p.id, p.name, p.created_at,
                  t.role as "tenant_role?", m.role as "project_role?"
         from project p
         left join tenant_member t on t.tenant_id = p.tenant_id and t.user_id = $2
         left join project_member m on m.project_id = p.id and m.user_id = $2
         where p.tenant_id = $1 and p.deleted_at is null
           and (t.role is not null or m.role is not null)
           and ($3::uuid is null or p.id < $3)
         order by p.id desc
         limit $4"#,
        actor.tenant.0,
        actor.user.0,
        behind.map(|cursor| cursor.0),
        size.and_one(),
    )
    .fetch_all(db.autocommit_for(actor.tenant))
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Project {
                id: ProjectId(row.id),
                name: row.name,
                role: effective_role(row.tenant_role.as_deref(), row.project_role.as_deref())?,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// The role that the two membership columns of a row give together; the query asked for one.
pub(super) fn effective_role(
    in_tenant: Option<&str>,
    in_project: Option<&str>,
) -> Result<Role, StoreError> {
    let role = |text: Option<&str>| text.map(word).transpose();
    Role::effective(role(in_tenant)?, role(in_project)?)
        .ok_or_else(|| StoreError::unreadable("a row was read for somebody without a role"))
}
