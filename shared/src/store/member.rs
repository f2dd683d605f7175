//! Who has a role in a project: people of their own, and those whose role over the whole tenant
//! reaches into every project. Machines are no members; see `project_token`.

use time::OffsetDateTime;

use super::{Db, StoreError, Tx, db::word, project::effective_role};
use crate::domain::{Email, IdCursor, PageSize, ProjectId, Role, TenantId, UserId};

/// Somebody with a role in a project.
#[derive(Debug)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// As typed when registering; people of an outside issuer may have none.
    pub email: Option<String>,
    /// What they are called.
    pub name: String,
    /// What they may do in the project.
    pub role: Role,
    /// Given in this project.
    pub project_role: Option<Role>,
    /// Given over the whole tenant.
    pub tenant_role: Option<Role>,
    /// Since when.
    pub since: OffsetDateTime,
}

/// The members of a project, in the order in which they came to the platform. Whoever asks has been
/// let in to the project.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    project: ProjectId,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Member>, StoreError> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/store/member_list.sql",
        tenant.0,
        project.0,
        None::<uuid::Uuid>,
        behind.map(|cursor| cursor.0),
        size.and_one(),
    )
    .fetch_all(db.autocommit_for(tenant))
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// One member; None when this person has no role here.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    project: ProjectId,
    user: UserId,
) -> Result<Option<Member>, StoreError> {
    let row = sqlx::query_file_as!(
        Row,
        "src/store/member_list.sql",
        tenant.0,
        project.0,
        user.0,
        None::<uuid::Uuid>,
        1,
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(Row::read).transpose()
}

/// Somebody who has a role anywhere in the tenant.
pub async fn find_in_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    email: &Email,
) -> Result<Option<UserId>, StoreError> {
    let id = sqlx::query_scalar!(
        "select u.id from user_account u
         where lower(u.email) = lower($2) and u.kind = 'person'
           and (exists (select from tenant_member t
                        where t.user_id = u.id and t.tenant_id = $1)
                or exists (select from project_member m
                           where m.user_id = u.id and m.tenant_id = $1))
         order by u.id
         limit 1",
        tenant.0,
        email.as_str(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(id.map(UserId))
}

/// Holds the project's row until the transaction ends: of two who remove an owner at the same time,
/// the second sees what the first did.
pub async fn lock(tx: &mut Tx, tenant: TenantId, project: ProjectId) -> Result<(), StoreError> {
    sqlx::query_scalar!(
        "select id from project where id = $1 and tenant_id = $2 for no key update",
        project.0,
        tenant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(())
}

/// How many people own the project by a role of their own in it. Exact while `lock` is held.
pub async fn count_owners(tx: &mut Tx, project: ProjectId) -> Result<i64, StoreError> {
    let owners = sqlx::query_scalar!(
        r#"select count(*) as "count!" from project_member m
         join user_account u on u.id = m.user_id and u.kind = 'person'
         where m.project_id = $1 and m.role = 'owner'"#,
        project.0
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(owners)
}

/// Gives somebody a role in the project, in place of the one they have there.
pub async fn set_role(
    tx: &mut Tx,
    tenant: TenantId,
    project: ProjectId,
    user: UserId,
    role: Role,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into project_member (project_id, tenant_id, user_id, role) values ($1, $2, $3, $4)
         on conflict (project_id, user_id) do update set role = excluded.role",
        project.0,
        tenant.0,
        user.0,
        role.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes somebody's role in the project away.
pub async fn remove(tx: &mut Tx, project: ProjectId, user: UserId) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from project_member where project_id = $1 and user_id = $2",
        project.0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

struct Row {
    id: uuid::Uuid,
    email: Option<String>,
    name: String,
    tenant_role: Option<String>,
    project_role: Option<String>,
    since: OffsetDateTime,
}

impl Row {
    fn read(self) -> Result<Member, StoreError> {
        let (in_tenant, in_project) = (self.tenant_role.as_deref(), self.project_role.as_deref());
        Ok(Member {
            user: UserId(self.id),
            role: effective_role(in_tenant, in_project)?,
            project_role: in_project.map(word).transpose()?,
            tenant_role: in_tenant.map(word).transpose()?,
            email: self.email,
            name: self.name,
            since: self.since,
        })
    }
}
