//! Building again what was built before: for binaries that the artifact store has lost. Sources are in
//! the database, so a lost store costs time and nothing else.

use uuid::Uuid;

use super::{Db, StoreError, Tx, db::sha256};
use crate::{
    domain::{BuildId, FunctionId, RequestId, TenantId, VersionId},
    queue::{Class, JobKind, NewJob, push},
};

/// What becomes of a version whose binary is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuild {
    /// A build of it was queued just now.
    Queued,
    /// A build of it waits or runs already.
    Underway,
    /// Its source was given up.
    Impossible,
}

/// Queues another build of a version's source, unless one waits or runs. Its outcome takes the place of
/// the binary that was lost; the version serves meanwhile, and its calls wait.
pub async fn queue(db: &Db, version: VersionId) -> Result<Rebuild, StoreError> {
    let mut tx = db.begin().await?;
    let rebuild = queue_unless_underway(&mut tx, version).await?;
    tx.commit().await?;
    Ok(rebuild)
}

async fn queue_unless_underway(tx: &mut Tx, version: VersionId) -> Result<Rebuild, StoreError> {
    // Held to the end: of several workers that miss a binary, one queues the build.
    let function = sqlx::query!(
        "select f.id, f.tenant_id
         from function f join function_version v on v.function_id = f.id
         where v.id = $1
         for no key update of f",
        version.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    // A statement of its own: what others committed before the row was free must be seen.
    let source = sqlx::query!(
        r#"select s.version_id,
                  exists (select from build b
                          where b.version_id = s.version_id
                            and b.status in ('pending', 'running')) as "is_underway!",
                  -- It would fail again, for each call that waits.
                  exists (select from build b
                          where b.version_id = s.version_id and b.status = 'failed'
                            and b.completed_at > now() - interval '10 minutes') as "failed_lately!"
         from function_version v
         join function_source s on s.version_id = coalesce(v.built_as, v.id)
         where v.id = $1"#,
        version.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    match source {
        None => Ok(Rebuild::Impossible),
        Some(source) if source.is_underway => Ok(Rebuild::Underway),
        Some(source) if source.failed_lately => Ok(Rebuild::Impossible),
        Some(source) => {
            let (id, request) = (BuildId::new(), RequestId::new());
            sqlx::query!(
                "insert into build (id, tenant_id, function_id, version_id, status, request_id)
                 values ($1, $2, $3, $4, 'pending', $5)",
                id.0,
                function.tenant_id,
                function.id,
                source.version_id,
                request.0,
            )
            .execute(&mut **tx)
            .await?;
            let job = NewJob {
                kind: JobKind::Compile,
                class: Class::Build,
                subject: id.0,
                tenant: TenantId(function.tenant_id),
                function: FunctionId(function.id),
                request,
            };
            push(tx, job).await?;
            Ok(Rebuild::Queued)
        }
    }
}

/// A version that can be called, and its binary.
#[derive(Debug, Clone, Copy)]
pub struct InService {
    /// Which version.
    pub version: VersionId,
    /// sha256 of its binary.
    pub sha256: [u8; 32],
}

/// Versions of functions that are not deleted and that a binary was built for, in the order of their
/// ids: at most `limit` behind this one.
pub async fn in_service(
    db: &Db,
    behind: Option<VersionId>,
    limit: u16,
) -> Result<Vec<InService>, StoreError> {
    let rows = sqlx::query!(
        "select v.id, a.sha256
         from function_version v
         join artifact a on a.key = v.artifact_key
         join function f on f.id = v.function_id
         where f.deleted_at is null and v.id > $1
         order by v.id
         limit $2",
        behind.map_or(Uuid::nil(), |behind| behind.0),
        i64::from(limit),
    )
    .fetch_all(db.autocommit())
    .await?;
    let read = |id, bytes| Ok(InService { version: VersionId(id), sha256: sha256(bytes)? });
    rows.into_iter().map(|row| read(row.id, row.sha256)).collect()
}
