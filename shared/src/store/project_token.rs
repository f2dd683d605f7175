//! Tokens of machines. Behind each stands a machine: a user without address and password that has
//! a role in one project, so every query treats it like anybody else. The token is shown once; a row
//! holds its hash, which needs no salt because the token is random.

use time::OffsetDateTime;

use super::{Db, StoreError, Tx, account, db::word, member};
use crate::domain::{
    Actor, IdCursor, PageSize, ProjectId, Role, TenantId, TokenId, TokenName, UserId,
};

/// A token to be created.
#[derive(Debug)]
pub struct NewToken<'a> {
    /// Where it is good.
    pub project: ProjectId,
    /// What it is for.
    pub name: &'a TokenName,
    /// What it may do there.
    pub role: Role,
    /// Of the token.
    pub token_sha256: [u8; 32],
    /// How long it is good; until it is revoked when None.
    pub days: Option<u32>,
}

/// A token as its project sees it.
#[derive(Debug)]
pub struct ProjectToken {
    /// Which one.
    pub id: TokenId,
    /// The user that it acts as.
    pub machine: UserId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Who created it.
    pub created_by: UserId,
    /// When.
    pub created_at: OffsetDateTime,
    /// Until when it is good.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
}

/// Creates a token and its machine.
pub async fn create(
    tx: &mut Tx,
    actor: Actor,
    new: NewToken<'_>,
) -> Result<ProjectToken, StoreError> {
    let (id, machine) = (TokenId::new(), UserId::new());
    account::insert_machine(tx, machine, new.name).await?;
    member::set_role(tx, actor.tenant, new.project, machine, new.role).await?;
    let row = sqlx::query!(
        "insert into project_token (id, tenant_id, project_id, machine_id, name, role, token_sha256,
                                    created_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(days => $9))
         returning created_at, expires_at",
        id.0,
        actor.tenant.0,
        new.project.0,
        machine.0,
        new.name.as_str(),
        new.role.as_str(),
        &new.token_sha256,
        actor.user.0,
        new.days.map(|days| i32::try_from(days).unwrap_or(i32::MAX)),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(ProjectToken {
        id,
        machine,
        name: new.name.to_string(),
        role: new.role,
        created_by: actor.user,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: None,
    })
}

/// Those of a project that are not revoked, newest first, expired ones included.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    project: ProjectId,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<ProjectToken>, StoreError> {
    let rows = sqlx::query!(
        "select id, machine_id, name, role, created_by, created_at, expires_at, last_used_at
         from project_token
         where project_id = $1 and tenant_id = $2 and revoked_at is null
           and ($3::uuid is null or id < $3)
         order by id desc
         limit $4",
        project.0,
        tenant.0,
        behind.map(|cursor| cursor.0),
        size.and_one(),
    )
    .fetch_all(db.autocommit_for(tenant))
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(ProjectToken {
                id: TokenId(row.id),
                machine: UserId(row.machine_id),
                name: row.name,
                role: word(&row.role)?,
                created_by: UserId(row.created_by),
                created_at: row.created_at,
                expires_at: row.expires_at,
                last_used_at: row.last_used_at,
            })
        })
        .collect()
}

/// The project of a token that is not revoked.
pub async fn project_of(
    tx: &mut Tx,
    tenant: TenantId,
    id: TokenId,
) -> Result<Option<ProjectId>, StoreError> {
    let found = sqlx::query_scalar!(
        "select project_id from project_token
         where id = $1 and tenant_id = $2 and revoked_at is null",
        id.0,
        tenant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(ProjectId))
}

/// Ends a token at once; false when there is no such token, or no longer.
pub async fn revoke(tx: &mut Tx, project: ProjectId, id: TokenId) -> Result<bool, StoreError> {
    let machine = sqlx::query_scalar!(
        "update project_token set revoked_at = now()
         where id = $1 and project_id = $2 and revoked_at is null
         returning machine_id",
        id.0,
        project.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(machine) = machine else { return Ok(false) };
    member::remove(tx, project, UserId(machine)).await?;
    Ok(true)
}

/// Ends all tokens of a project.
pub(super) async fn revoke_all(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    sqlx::query!(
        "update project_token set revoked_at = now() where project_id = $1 and revoked_at is null",
        project.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Who a token speaks for; None when it is not good, or no longer. Notes that it was used, at most
/// once a minute: a busy token must not write a row per request.
pub async fn check(db: &Db, token_sha256: &[u8; 32]) -> Result<Option<Actor>, StoreError> {
    let row = sqlx::query!(
        r#"select id, tenant_id, machine_id,
                coalesce(last_used_at < now() - interval '1 minute', true) as "is_stale!"
         from project_token
         where token_sha256 = $1 and revoked_at is null
           and (expires_at is null or expires_at > now())"#,
        token_sha256
    )
    .fetch_optional(db.autocommit())
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.is_stale {
        sqlx::query!("update project_token set last_used_at = now() where id = $1", row.id)
            .execute(db.autocommit())
            .await?;
    }
    Ok(Some(Actor { user: UserId(row.machine_id), tenant: TenantId(row.tenant_id) }))
}
