//! Giving up what nobody needs: deleted functions, and versions that are older than those kept. Rows
//! stay, for what names them; sources, secrets and the hold on artifacts go.

use uuid::Uuid;

use super::{Db, StoreError, Tx, build, build::BuildFailure, execution};
use crate::{
    domain::{BuildId, FunctionId, Reason, TenantId},
    queue::{self, JobKind},
};

/// Jobs that one transaction takes out of the queue.
const BATCH: i64 = 500;

/// Functions that one round looks at; the next round looks at the rest.
const FUNCTIONS_A_ROUND: i64 = 200;

/// Deletes a function, for its tenant; false when it is not there. Its name is free at once, running
/// calls go on to their end.
pub async fn delete(tx: &mut Tx, tenant: TenantId, id: FunctionId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update function set deleted_at = now(), updated_at = now()
         where id = $1 and tenant_id = $2 and deleted_at is null",
        id.0,
        tenant.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the calls and builds of a deleted function that have not begun, as cancelled; returns their
/// ids. A deleted function gets no new ones, so asking again until nothing is left comes to an end.
pub async fn cancel_waiting(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
) -> Result<Vec<Uuid>, StoreError> {
    const MESSAGE: &str = "the function was deleted";
    let jobs = queue::remove_waiting(tx, tenant, function, BATCH).await?;
    let of_kind = |wanted| jobs.iter().filter(move |(kind, _)| *kind == wanted);
    let calls: Vec<_> = of_kind(JobKind::Execute).map(|(_, subject)| *subject).collect();
    execution::record_all_cancelled(tx, &calls, MESSAGE).await?;
    let failure =
        BuildFailure { reason: Reason::Cancelled.as_str().to_owned(), message: MESSAGE.to_owned() };
    for (_, subject) in of_kind(JobKind::Compile) {
        build::give_up(tx, BuildId(*subject), &failure).await?;
    }
    Ok(jobs.into_iter().map(|(_, subject)| subject).collect())
}

/// What a round of cleaning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retired {
    /// Versions whose sources, secrets and artifacts were given up.
    pub versions: u64,
    /// Deleted functions with nothing left.
    pub functions: u64,
    /// Calls and builds that were still waiting; whoever watches them should be told.
    pub cancelled: Vec<Uuid>,
}

/// Cleans up after deleted functions and gives up versions beyond the newest `kept` of each other
/// one. The version that serves stays, and so does any that a waiting or running call belongs to.
/// Any process may do it at any time; of several at once, each does a part.
pub async fn clean(db: &Db, kept: u32) -> Result<Retired, StoreError> {
    let mut retired = Retired::default();
    for (tenant, function) in deleted(db).await? {
        let mut tx = db.begin().await?;
        retired.cancelled.extend(cancel_waiting(&mut tx, tenant, function).await?);
        let (versions, done) = clean_deleted(&mut tx, function).await?;
        tx.commit().await?;
        retired.versions += versions;
        retired.functions += u64::from(done);
    }
    for function in with_many_versions(db, kept).await? {
        let mut tx = db.begin().await?;
        retired.versions += clean_versions(&mut tx, function, kept).await?;
        tx.commit().await?;
    }
    Ok(retired)
}

/// Not those of the last minute: a call that was let in before may still be on its way to its row.
async fn deleted(db: &Db) -> Result<Vec<(TenantId, FunctionId)>, StoreError> {
    let rows = sqlx::query!(
        "select id, tenant_id from function
         where deleted_at < now() - interval '1 minute' and cleaned_at is null
         order by id
         limit $1",
        FUNCTIONS_A_ROUND,
    )
    .fetch_all(db.autocommit())
    .await?;
    Ok(rows.into_iter().map(|row| (TenantId(row.tenant_id), FunctionId(row.id))).collect())
}

async fn with_many_versions(db: &Db, kept: u32) -> Result<Vec<FunctionId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "select v.function_id from function_version v
         join function f on f.id = v.function_id
         where v.removed_at is null and f.deleted_at is null
           and f.updated_at < now() - interval '1 minute'
         group by v.function_id
         having count(*) > $1
         limit $2",
        i64::from(kept),
        FUNCTIONS_A_ROUND,
    )
    .fetch_all(db.autocommit())
    .await?;
    Ok(ids.into_iter().map(FunctionId).collect())
}

/// How many versions were given up, and whether nothing is left: calls may still run.
async fn clean_deleted(tx: &mut Tx, function: FunctionId) -> Result<(u64, bool), StoreError> {
    let versions = give_up(tx, function, 0, false).await?;
    let done = sqlx::query!(
        "update function f set cleaned_at = now()
         where f.id = $1 and f.cleaned_at is null and not exists (
             select from function_version v where v.function_id = f.id and v.removed_at is null)",
        function.0
    )
    .execute(&mut **tx)
    .await?;
    Ok((versions, done.rows_affected() == 1))
}

/// Holds the function, so that nobody goes back to a version that is being given up.
async fn clean_versions(tx: &mut Tx, function: FunctionId, kept: u32) -> Result<u64, StoreError> {
    // Calls are let in by what serves; after a minute none is on its way to a version before it.
    let held = sqlx::query!(
        "select id from function
         where id = $1 and deleted_at is null and updated_at < now() - interval '1 minute'
         for no key update skip locked",
        function.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    match held {
        Some(_) => give_up(tx, function, kept.into(), true).await,
        None => Ok(0),
    }
}

/// Versions are locked before anybody looks whether they are in use, because a call of a version that
/// it names itself locks that version too.
async fn give_up(
    tx: &mut Tx,
    function: FunctionId,
    kept: i64,
    spare_current: bool,
) -> Result<u64, StoreError> {
    let old = sqlx::query_scalar!(
        "select v.id from function_version v join function f on f.id = v.function_id
         where v.function_id = $1 and v.removed_at is null
           and v.number <= coalesce(
               (select k.number from function_version k
                where k.function_id = $1 and k.removed_at is null
                order by k.number desc offset $2 limit 1), 0)
           and not ($3 and v.number is not distinct from f.current_version)
         order by v.id
         for update of v",
        function.0,
        kept,
        spare_current,
    )
    .fetch_all(&mut **tx)
    .await?;
    let removed = sqlx::query_file_scalar!("src/store/retire_versions.sql", &old, function.0)
        .fetch_one(&mut **tx)
        .await?;
    sqlx::query!(
        "delete from function_source s
         using function_version v
         where v.id = s.version_id and v.function_id = $1 and not exists (
             select from function_version other
             where other.function_id = $1 and other.removed_at is null
               and coalesce(other.built_as, other.id) = s.version_id)",
        function.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(removed.unsigned_abs())
}
