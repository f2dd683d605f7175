//! Who did what to which resource. Written in the transaction of what it records, never changed.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Db, StoreError, Tx, TxNumber, execution_report::plan_for_values};
use crate::domain::{IdCursor, PageSize, RequestId, TenantId, UserId};

/// One thing that somebody did.
#[derive(Debug, Clone)]
pub struct Deed {
    /// Whose record it goes into.
    pub tenant: TenantId,
    /// Who did it; None: the operator.
    pub actor: Option<UserId>,
    /// What, as `resource.verb`.
    pub action: &'static str,
    /// To which resource.
    pub resource: Uuid,
    /// By which request.
    pub request: RequestId,
    /// From where.
    pub remote_addr: Option<String>,
    /// With which program, as it calls itself.
    pub user_agent: Option<String>,
}

/// Adds one row to the record. Says which transaction it is, on the same trip.
pub async fn record(tx: &mut Tx, deed: Deed) -> Result<TxNumber, StoreError> {
    let number = sqlx::query_scalar!(
        r#"insert into audit (tenant_id, actor_id, action, resource_id, request_id, remote_addr,
                              user_agent)
           values ($1, $2, $3, $4, $5, $6, $7)
           returning pg_current_xact_id()::text as "number!""#,
        deed.tenant.0,
        deed.actor.map(|actor| actor.0),
        deed.action,
        deed.resource,
        deed.request.0,
        deed.remote_addr,
        deed.user_agent,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(TxNumber(number))
}

/// Whether a request left a row.
pub async fn has_request(
    db: &Db,
    tenant: TenantId,
    request: RequestId,
) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from audit where request_id = $1 and tenant_id = $2) as "found!""#,
        request.0,
        tenant.0
    )
    .fetch_one(db.autocommit_for(tenant))
    .await?;
    Ok(found)
}

/// A row of the record.
#[derive(Debug)]
pub struct Recorded {
    /// Its place in the record.
    pub id: i64,
    /// When.
    pub at: OffsetDateTime,
    /// Who did it.
    pub actor: Option<UserId>,
    /// What, as `resource.verb`.
    pub action: String,
    /// To which resource.
    pub resource: Option<Uuid>,
    /// By which request.
    pub request: RequestId,
    /// From where.
    pub remote_addr: Option<String>,
    /// With which program.
    pub user_agent: Option<String>,
}

impl Recorded {
    /// Names its place, for the next page.
    pub fn cursor(&self) -> IdCursor {
        IdCursor(Uuid::from_u128(u128::from(self.id.unsigned_abs())))
    }
}

/// Which rows to read; all when nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// What was done: `resource.verb`, or `resource` for all of its verbs.
    pub action: Option<String>,
    /// By whom.
    pub actor: Option<UserId>,
    /// To which resource.
    pub resource: Option<Uuid>,
    /// By which request.
    pub request: Option<RequestId>,
    /// Not before.
    pub from: Option<OffsetDateTime>,
    /// Before.
    pub to: Option<OffsetDateTime>,
}

/// What was done in a tenant, newest first.
pub async fn list(
    db: &Db,
    tenant: TenantId,
    filter: &Filter,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Vec<Recorded>, StoreError> {
    let behind = behind.map(|cursor| i64::try_from(cursor.0.as_u128()).unwrap_or(i64::MAX));
    let mut tx = db.begin_for(tenant).await?;
    plan_for_values(&mut tx).await?;
    let rows = sqlx::query!(
        "select id, at, actor_id, action, resource_id, request_id, remote_addr, user_agent
         from audit
         where tenant_id = $1 and ($2::bigint is null or id < $2)
           and ($3::text is null or action = $3 or starts_with(action, $3 || '.'))
           and ($4::uuid is null or actor_id = $4)
           and ($5::uuid is null or resource_id = $5)
           and ($6::uuid is null or request_id = $6)
           and ($7::timestamptz is null or at >= $7)
           and ($8::timestamptz is null or at < $8)
         order by id desc
         limit $9",
        tenant.0,
        behind,
        filter.action.as_deref(),
        filter.actor.map(|actor| actor.0),
        filter.resource,
        filter.request.map(|request| request.0),
        filter.from,
        filter.to,
        size.and_one(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let recorded = rows.into_iter().map(|row| Recorded {
        id: row.id,
        at: row.at,
        actor: row.actor_id.map(UserId),
        action: row.action,
        resource: row.resource_id,
        request: RequestId(row.request_id),
        remote_addr: row.remote_addr,
        user_agent: row.user_agent,
    });
    Ok(recorded.collect())
}
