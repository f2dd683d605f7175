//! Users and tenants: register them, look up who logs in, say who somebody is.

use uuid::Uuid;

use super::{
    Db, StoreError, Tx,
    db::{one_changed, word},
};
use crate::domain::{Actor, Email, PersonName, Plan, Role, TenantId, TokenName, UserId};

/// The realm of the platform's own members.
pub(super) const PLATFORM_REALM: Uuid = Uuid::nil();

/// Any fixed number: whoever makes the first account of a server holds this advisory lock.
const FIRST_ACCOUNT_LOCK: i64 = 0x6669_7273_7421;

/// Somebody who registers.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Unique in the realm, without regard to case.
    pub email: &'a Email,
    /// What they are called.
    pub name: &'a PersonName,
    /// argon2id, as a PHC string.
    pub password_hash: &'a str,
}

/// Creates a user and a tenant of their own, the user its owner. None when the address is taken.
pub async fn register(
    tx: &mut Tx,
    new: &NewAccount<'_>,
    plan: Plan,
) -> Result<Option<Actor>, StoreError> {
    let Some(user) = insert_person(tx, new).await? else { return Ok(None) };
    found_tenant(tx, user, new.name, plan).await.map(Some)
}

/// Creates a tenant of somebody's own: they are its owner, and it has their name.
pub async fn found_tenant(
    tx: &mut Tx,
    owner: UserId,
    name: &PersonName,
    plan: Plan,
) -> Result<Actor, StoreError> {
    let actor = Actor { user: owner, tenant: TenantId::new() };
    insert_tenant(tx, actor.tenant, name, plan).await?;
    insert_tenant_member(tx, actor, Role::Owner).await?;
    Ok(actor)
}

/// Creates a user who belongs to no tenant yet. None when the address is taken.
pub async fn insert_person(
    tx: &mut Tx,
    new: &NewAccount<'_>,
) -> Result<Option<UserId>, StoreError> {
    let id = UserId::new();
    let inserted = sqlx::query!(
        "insert into user_account (id, realm_id, email, name, password_hash)
         values ($1, $2, $3, $4, $5)
         on conflict (realm_id, lower(email)) do nothing",
        id.0,
        PLATFORM_REALM,
        new.email.as_str(),
        new.name.as_str(),
        new.password_hash,
    )
    .execute(&mut **tx)
    .await?;
    Ok((inserted.rows_affected() == 1).then_some(id))
}

/// Creates the user that a machine acts as.
pub(super) async fn insert_machine(
    tx: &mut Tx,
    id: UserId,
    name: &TokenName,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into user_account (id, realm_id, name, kind) values ($1, $2, $3, 'machine')",
        id.0,
        PLATFORM_REALM,
        name.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_tenant(
    tx: &mut Tx,
    id: TenantId,
    name: &PersonName,
    plan: Plan,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into tenant (id, name, plan) values ($1, $2, $3)",
        id.0,
        name.as_str(),
        plan.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn insert_tenant_member(tx: &mut Tx, actor: Actor, role: Role) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into tenant_member (tenant_id, user_id, role) values ($1, $2, $3)",
        actor.tenant.0,
        actor.user.0,
        role.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether nobody has an account here yet.
pub async fn is_fresh(db: &Db) -> Result<bool, StoreError> {
    let fresh = sqlx::query_scalar!(
        r#"select not exists (select from user_account where kind = 'person') as "fresh!""#
    )
    .fetch_one(db.autocommit())
    .await?;
    Ok(fresh)
}

/// The same, exact until the transaction ends: of two first accounts at once, the second sees the
/// first.
pub async fn is_fresh_locked(tx: &mut Tx) -> Result<bool, StoreError> {
    sqlx::query!("select pg_advisory_xact_lock($1)", FIRST_ACCOUNT_LOCK).execute(&mut **tx).await?;
    let fresh = sqlx::query_scalar!(
        r#"select not exists (select from user_account where kind = 'person') as "fresh!""#
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(fresh)
}

/// What it takes to check a password.
#[derive(Debug)]
pub struct Credentials {
    /// Who.
    pub user: UserId,
    /// argon2id, as a PHC string.
    pub password_hash: String,
}

/// Looks up an address without regard to case; None for whoever has no password here.
pub async fn credentials(db: &Db, email: &Email) -> Result<Option<Credentials>, StoreError> {
    let row = sqlx::query!(
        r#"select id, password_hash as "password_hash!" from user_account
         where realm_id = $1 and lower(email) = lower($2) and password_hash is not null"#,
        PLATFORM_REALM,
        email.as_str(),
    )
    .fetch_optional(db.autocommit())
    .await?;
    Ok(row.map(|row| Credentials { user: UserId(row.id), password_hash: row.password_hash }))
}

/// A tenant in which somebody has a role.
#[derive(Debug)]
pub struct Membership {
    /// Which one.
    pub tenant: TenantId,
    /// What it is called.
    pub name: String,
    /// Their role over the whole of it; None for a guest in single projects.
    pub role: Option<Role>,
}

/// The tenants in which somebody has a role: first those that are theirs as a whole, in the order
/// in which they joined, then those in which they are a guest.
pub async fn memberships(db: &Db, user: UserId) -> Result<Vec<Membership>, StoreError> {
    let rows = sqlx::query!(
        r#"select t.id, t.name, m.role as "role?"
         from (select tenant_id from tenant_member where user_id = $1
               union
               select p.tenant_id from project_member p
               join project on project.id = p.project_id and project.deleted_at is null
               where p.user_id = $1) joined
         join tenant t on t.id = joined.tenant_id
         left join tenant_member m on m.tenant_id = t.id and m.user_id = $1
         order by m.created_at nulls last, t.id
         limit 100"#,
        user.0,
    )
    .fetch_all(db.autocommit())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Membership {
                tenant: TenantId(row.id),
                name: row.name,
                role: row.role.as_deref().map(word).transpose()?,
            })
        })
        .collect()
}

/// Who somebody is, in the tenant they act in.
#[derive(Debug)]
pub struct Profile {
    /// As typed when registering; None for machines.
    pub email: Option<String>,
    /// What they are called.
    pub name: String,
    /// Their role over the whole tenant; None for machines and guests in single projects.
    pub role: Option<Role>,
    /// What the tenant pays for.
    pub plan: Plan,
}

/// None when the user has no role, or no role any longer, anywhere in the tenant.
pub async fn profile(db: &Db, actor: Actor) -> Result<Option<Profile>, StoreError> {
    let row = sqlx::query!(
        r#"select u.email, u.name, t.plan, m.role as "role?"
         from user_account u
         join tenant t on t.id = $1
         left join tenant_member m on m.tenant_id = t.id and m.user_id = u.id
         where u.id = $2
           and (m.role is not null
                or exists (select from project_member p
                           where p.user_id = u.id and p.tenant_id = t.id))"#,
        actor.tenant.0,
        actor.user.0,
    )
    .fetch_optional(db.autocommit_for(actor.tenant))
    .await?;
    row.map(|row| {
        Ok(Profile {
            email: row.email,
            name: row.name,
            role: row.role.as_deref().map(word).transpose()?,
            plan: word(&row.plan)?,
        })
    })
    .transpose()
}

/// The plan of a tenant; None when there is no such tenant.
pub async fn plan(db: &Db, tenant: TenantId) -> Result<Option<Plan>, StoreError> {
    let plan = sqlx::query_scalar!("select plan from tenant where id = $1", tenant.0)
        .fetch_optional(db.autocommit_for(tenant))
        .await?;
    plan.as_deref().map(word).transpose()
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

/// Gives a tenant another plan; returns the one it had, or None when there is no such tenant.
pub async fn change_plan(
    tx: &mut Tx,
    tenant: TenantId,
    to: Plan,
) -> Result<Option<Plan>, StoreError> {
    let before =
        sqlx::query_scalar!("select plan from tenant where id = $1 for no key update", tenant.0)
            .fetch_optional(&mut **tx)
            .await?;
    let Some(before) = before else { return Ok(None) };
    let done = sqlx::query!(
        "update tenant set plan = $3 where id = $1 and plan = $2",
        tenant.0,
        before,
        to.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    one_changed(&done, "a tenant's plan")?;
    word(&before).map(Some)
}
