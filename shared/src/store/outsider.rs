//! People whom an outside issuer vouches for: users without a password, found by what the issuer
//! calls them.

use super::{Db, StoreError, Tx, account::PLATFORM_REALM};
use crate::domain::{Email, PersonName, TenantId, UserId};

/// What an issuer calls somebody.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// Who vouches.
    pub issuer: &'a str,
    /// For whom; unique within the issuer and never given to somebody else.
    pub subject: &'a str,
}

/// Somebody who was here before.
#[derive(Debug, Clone, Copy)]
pub struct Outsider {
    /// Who they are here.
    pub user: UserId,
    /// The first of their tenants, in the order of `account::memberships`; None when they have no
    /// role anywhere.
    pub tenant: Option<TenantId>,
}

/// Looks somebody up; None for whoever comes for the first time.
pub async fn find(db: &Db, identity: Identity<'_>) -> Result<Option<Outsider>, StoreError> {
    let row = sqlx::query!(
        r#"select i.user_id,
                coalesce(
                    (select m.tenant_id from tenant_member m where m.user_id = i.user_id
                     order by m.created_at, m.tenant_id limit 1),
                    (select p.tenant_id from project_member p
                     join project on project.id = p.project_id and project.deleted_at is null
                     where p.user_id = i.user_id
                     order by p.tenant_id limit 1)) as tenant_id
         from outside_identity i
         where i.issuer = $1 and i.subject = $2"#,
        identity.issuer,
        identity.subject,
    )
    .fetch_optional(db.autocommit())
    .await?;
    Ok(row.map(|row| Outsider { user: UserId(row.user_id), tenant: row.tenant_id.map(TenantId) }))
}

/// Creates a user for somebody who belongs to no tenant yet. Their address is kept unless somebody
/// here has it. None when another request of theirs was faster; then the transaction must not commit.
pub async fn insert(
    tx: &mut Tx,
    identity: Identity<'_>,
    email: Option<&Email>,
    name: &PersonName,
) -> Result<Option<UserId>, StoreError> {
    let id = UserId::new();
    sqlx::query!(
        "insert into user_account (id, realm_id, email, name)
         select $1, $2,
                case when exists (select from user_account
                                  where realm_id = $2 and lower(email) = lower($3))
                     then null else $3 end,
                $4",
        id.0,
        PLATFORM_REALM,
        email.map(Email::as_str),
        name.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    let inserted = sqlx::query!(
        "insert into outside_identity (issuer, subject, user_id) values ($1, $2, $3)
         on conflict do nothing",
        identity.issuer,
        identity.subject,
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok((inserted.rows_affected() == 1).then_some(id))
}
