//! Secrets of function versions: written sealed, read by workers only, never by the API.

use uuid::Uuid;

use super::{Db, StoreError, Tx};
use crate::{
    domain::{FunctionId, TenantId, VariableName, VersionId},
    seal::{Sealed, SecretKeys},
};

/// How the secrets of a new version differ from those of the version it starts from.
#[derive(Debug, Default)]
pub struct SecretChanges {
    /// New ones, and new values.
    pub set: Vec<(VariableName, Sealed)>,
    /// Those that are no more.
    pub removed: Vec<VariableName>,
}

/// Gives a new version its secrets: what `base` has, with these changes.
pub(super) async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    version: VersionId,
    base: Option<VersionId>,
    changes: &SecretChanges,
) -> Result<(), StoreError> {
    let texts = |names: &mut dyn Iterator<Item = &VariableName>| -> Vec<String> {
        names.map(|name| name.as_str().to_owned()).collect()
    };
    let set = texts(&mut changes.set.iter().map(|(name, _)| name));
    let gone = [set.clone(), texts(&mut changes.removed.iter())].concat();
    let key_ids: Vec<_> = changes.set.iter().map(|(_, sealed)| sealed.key_id.clone()).collect();
    let sealed: Vec<_> = changes.set.iter().map(|(_, sealed)| sealed.bytes.clone()).collect();
    sqlx::query!(
        "with given as (
             insert into function_secret (version_id, name, tenant_id, function_id, key_id, sealed)
             select $1::uuid, s.name, $2::uuid, $3::uuid, s.key_id, s.sealed
             from function_secret s where s.version_id = $4::uuid and s.name <> all($5)
             union all
             select $1::uuid, n.name, $2::uuid, $3::uuid, n.key_id, n.sealed
             from unnest($6::text[], $7::text[], $8::bytea[]) n (name, key_id, sealed)
             returning name
         )
         update function_version
         set secret_names = array(select name from given order by name)
         where id = $1::uuid",
        version.0,
        tenant.0,
        function.0,
        base.map(|base| base.0) as Option<Uuid>,
        &gone,
        &set,
        &key_ids,
        &sealed,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The secrets of a version, sealed, by name.
pub async fn of_version(db: &Db, version: VersionId) -> Result<Vec<(String, Sealed)>, StoreError> {
    let rows = sqlx::query!(
        "select name, key_id, sealed from function_secret where version_id = $1",
        version.0
    )
    .fetch_all(db.autocommit())
    .await?;
    let sealed = rows.into_iter().map(|row| {
        let sealed = Sealed { key_id: row.key_id, bytes: row.sealed };
        (row.name, sealed)
    });
    Ok(sealed.collect())
}

/// What came of sealing again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets that the newest key seals now.
    pub renewed: u64,
    /// Secrets that no key of this process opens; they stay as they are.
    pub unreadable: u64,
}

/// Secrets read at once.
const BATCH: i64 = 100;

/// Seals with the newest key whatever an older one sealed, so that the older one can be taken out of
/// the configuration. Any process may do it at any time; nothing is lost when it stops half-way.
pub async fn reseal(db: &Db, keys: &SecretKeys) -> Result<Resealed, StoreError> {
    let mut result = Resealed::default();
    let mut behind = (Uuid::nil(), String::new());
    loop {
        let rows = sqlx::query!(
            "select version_id, name, function_id, key_id, sealed from function_secret
             where key_id <> $1 and (version_id, name) > ($2, $3)
             order by version_id, name
             limit $4",
            keys.newest_id(),
            behind.0,
            behind.1,
            BATCH,
        )
        .fetch_all(db.autocommit())
        .await?;
        let Some(last) = rows.last() else { return Ok(result) };
        behind = (last.version_id, last.name.clone());
        for row in rows {
            let old = Sealed { key_id: row.key_id, bytes: row.sealed };
            let Some(new) = keys.renew(row.function_id, &row.name, &old) else {
                result.unreadable += 1;
                continue;
            };
            let done = sqlx::query!(
                "update function_secret set key_id = $3, sealed = $4
                 where version_id = $1 and name = $2 and key_id = $5",
                row.version_id,
                row.name,
                new.key_id,
                new.bytes,
                old.key_id,
            )
            .execute(db.autocommit())
            .await?;
            result.renewed += done.rows_affected();
        }
    }
}
