//! Invitations: a way into one project for one address, good once and for a time. The token that
//! opens it is shown once; a row holds its hash.

use time::OffsetDateTime;

use super::{Db, StoreError, Tx, db::one_changed, db::word};
use crate::domain::{
    Actor, Email, IdCursor, InvitationId, PageSize, ProjectId, Role, TenantId, UserId,
};

/// Somebody to be invited.
#[derive(Debug)]
pub struct NewInvitation<'a> {
    /// Into which project.
    pub project: ProjectId,
    /// Only whoever has this address may accept.
    pub email: &'a Email,
    /// What they may do then.
    pub role: Role,
    /// Of the token.
    pub token_sha256: [u8; 32],
    /// How long it is good.
    pub days: u32,
}

/// An invitation that can still be accepted.
#[derive(Debug)]
pub struct Invitation {
    /// Which one.
    pub id: InvitationId,
    /// For whom.
    pub email: String,
    /// What they may do then.
    pub role: Role,
    /// Who invited.
    pub invited_by: UserId,
    /// When.
    pub created_at: OffsetDateTime,
    /// Until when it is good.
    pub expires_at: OffsetDateTime,
}

/// Creates an invitation; when it ends.
pub async fn create(
    tx: &mut Tx,
    actor: Actor,
    new: NewInvitation<'_>,
) -> Result<(InvitationId, OffsetDateTime), StoreError> {
    let id = InvitationId::new();
    let expires_at = sqlx::query_scalar!(
        "insert into invitation (id, tenant_id, project_id, email, role, token_sha256, invited_by,
                                 expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(days => $8))
         returning expires_at",
        id.0,
        actor.tenant.0,
        new.project.0,
        new.email.as_str(),
        new.role.as_str(),
        &new.token_sha256,
        actor.user.0,
        i32::try_from(new.days).unwrap_or(i32::MAX),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok((id, expires_at))
}

/// Those of a project that can still be accepted, newest first.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    project: ProjectId,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Invitation>, StoreError> {
    let rows = sqlx::query!(
        "select id, email, role, invited_by, created_at, expires_at from invitation
         where project_id = $1 and tenant_id = $2 and accepted_at is null and revoked_at is null
           and expires_at > now() and ($3::uuid is null or id < $3)
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
            Ok(Invitation {
                id: InvitationId(row.id),
                email: row.email,
                role: word(&row.role)?,
                invited_by: UserId(row.invited_by),
                created_at: row.created_at,
                expires_at: row.expires_at,
            })
        })
        .collect()
}

/// The project of an invitation that is open.
pub async fn project_of(
    tx: &mut Tx,
    tenant: TenantId,
    id: InvitationId,
) -> Result<Option<ProjectId>, StoreError> {
    let found = sqlx::query_scalar!(
        "select project_id from invitation
         where id = $1 and tenant_id = $2 and accepted_at is null and revoked_at is null",
        id.0,
        tenant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.map(ProjectId))
}

/// Ends an invitation; false when there is none that could still be accepted.
pub async fn revoke(tx: &mut Tx, project: ProjectId, id: InvitationId) -> Result<bool, StoreError> {
    let revoked = sqlx::query!(
        "update invitation set revoked_at = now()
         where id = $1 and project_id = $2 and accepted_at is null and revoked_at is null",
        id.0,
        project.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(revoked.rows_affected() == 1)
}

/// Ends all invitations into a project.
pub(super) async fn revoke_all(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    sqlx::query!(
        "update invitation set revoked_at = now()
         where project_id = $1 and accepted_at is null and revoked_at is null",
        project.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a token opens.
#[derive(Debug)]
pub struct Opened {
    /// The invitation.
    pub id: InvitationId,
    /// Whose project.
    pub tenant: TenantId,
    /// Which project.
    pub project: ProjectId,
    /// For whom.
    pub email: String,
    /// What they may do then.
    pub role: Role,
}

/// The invitation behind a token, locked until the transaction ends; None when it is not good any
/// more.
pub async fn open(tx: &mut Tx, token_sha256: &[u8; 32]) -> Result<Option<Opened>, StoreError> {
    let row = sqlx::query!(
        "select id, tenant_id, project_id, email, role from invitation
         where token_sha256 = $1 and accepted_at is null and revoked_at is null
           and expires_at > now()
         for update",
        token_sha256
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Opened {
            id: InvitationId(row.id),
            tenant: TenantId(row.tenant_id),
            project: ProjectId(row.project_id),
            email: row.email,
            role: word(&row.role)?,
        })
    })
    .transpose()
}

/// Those that wait for an address, locked until the transaction ends; at most a hundred.
pub async fn waiting_for(tx: &mut Tx, email: &Email) -> Result<Vec<Opened>, StoreError> {
    let rows = sqlx::query!(
        "select id, tenant_id, project_id, email, role from invitation
         where lower(email) = lower($1) and accepted_at is null and revoked_at is null
           and expires_at > now()
         order by id
         limit 100
         for update",
        email.as_str()
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Opened {
                id: InvitationId(row.id),
                tenant: TenantId(row.tenant_id),
                project: ProjectId(row.project_id),
                email: row.email,
                role: word(&row.role)?,
            })
        })
        .collect()
}

/// Notes who accepted. The role is given by `member::set_role` in the same transaction.
pub async fn accept(tx: &mut Tx, id: InvitationId, user: UserId) -> Result<(), StoreError> {
    let accepted = sqlx::query!(
        "update invitation set accepted_at = now(), accepted_by = $2
         where id = $1 and accepted_at is null and revoked_at is null",
        id.0,
        user.0
    )
    .execute(&mut **tx)
    .await?;
    one_changed(&accepted, "an invitation")
}
