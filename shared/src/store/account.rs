//! Users and tenants: register one of each, look up who logs in, say who somebody is.

use uuid::Uuid;

use super::{Db, StoreError, Tx, db::word};
use crate::domain::{Actor, Email, PersonName, Plan, Role, TenantId, UserId};

/// The realm of the platform's own members.
const PLATFORM_REALM: Uuid = Uuid::nil();

/// Somebody who registers.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Unique in the realm, without regard to case.
    pub email: &'a Email,
    /// What they are called.
    pub name: &'a PersonName,
    /// argon2id, as a PHC string.
    pub password_hash: &'a str,
    /// Of the tenant they get.
    pub plan: Plan,
}

/// Creates a user and a tenant of their own, the user its owner. None when the address is taken.
pub async fn register(tx: &mut Tx, new: NewAccount<'_>) -> Result<Option<Actor>, StoreError> {
    let actor = Actor { user: UserId::new(), tenant: TenantId::new() };
    let inserted = sqlx::query!(
        "insert into user_account (id, realm_id, email, name, password_hash)
         values ($1, $2, $3, $4, $5)
         on conflict (realm_id, lower(email)) do nothing",
        actor.user.0,
        PLATFORM_REALM,
        new.email.as_str(),
        new.name.as_str(),
        new.password_hash,
    )
    .execute(&mut **tx)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(None);
    }
    sqlx::query!(
        "insert into tenant (id, name, plan) values ($1, $2, $3)",
        actor.tenant.0,
        new.name.as_str(),
        new.plan.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into tenant_member (tenant_id, user_id, role) values ($1, $2, $3)",
        actor.tenant.0,
        actor.user.0,
        Role::Owner.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some(actor))
}

/// What it takes to check a password, and where its owner logs in.
#[derive(Debug)]
pub struct Credentials {
    /// Who, inside the tenant they joined first.
    pub actor: Actor,
    /// argon2id, as a PHC string.
    pub password_hash: String,
}

/// Looks up an address without regard to case.
pub async fn credentials(db: &Db, email: &Email) -> Result<Option<Credentials>, StoreError> {
    let row = sqlx::query!(
        "select u.id, u.password_hash, m.tenant_id
         from user_account u join tenant_member m on m.user_id = u.id
         where u.realm_id = $1 and lower(u.email) = lower($2)
         order by m.created_at, m.tenant_id
         limit 1",
        PLATFORM_REALM,
        email.as_str(),
    )
    .fetch_optional(db.pool())
    .await?;
    Ok(row.map(|row| Credentials {
        actor: Actor { user: UserId(row.id), tenant: TenantId(row.tenant_id) },
        password_hash: row.password_hash,
    }))
}

/// Who somebody is, in the tenant they act in.
#[derive(Debug)]
pub struct Profile {
    /// As typed when registering.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Their role over the whole tenant.
    pub role: Role,
    /// What the tenant pays for.
    pub plan: Plan,
}

/// None when the user is not, or no longer, a member of the tenant.
pub async fn profile(db: &Db, actor: Actor) -> Result<Option<Profile>, StoreError> {
    let row = sqlx::query!(
        "select u.email, u.name, m.role, t.plan
         from tenant_member m
         join user_account u on u.id = m.user_id
         join tenant t on t.id = m.tenant_id
         where m.tenant_id = $1 and m.user_id = $2",
        actor.tenant.0,
        actor.user.0,
    )
    .fetch_optional(db.pool())
    .await?;
    row.map(|row| {
        Ok(Profile {
            email: row.email,
            name: row.name,
            role: word(&row.role)?,
            plan: word(&row.plan)?,
        })
    })
    .transpose()
}

/// The plan of a tenant, whose row stays locked until the transaction ends: whoever counts what the
/// plan limits takes this lock first, so that two of them never count at the same time.
pub async fn lock_plan(tx: &mut Tx, tenant: TenantId) -> Result<Plan, StoreError> {
    // `no key`: rows that merely point at the tenant can still be inserted meanwhile.
    let plan =
        sqlx::query_scalar!("select plan from tenant where id = $1 for no key update", tenant.0)
            .fetch_one(&mut **tx)
            .await?;
    word(&plan)
}
