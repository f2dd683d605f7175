//! What a worker needs of builds: start one, find an artifact that makes it unnecessary, record
//! how it ended.

use std::time::Duration;

use super::{
    Db, StoreError, Tx,
    db::{one_changed, sha256},
};
use crate::domain::{BuildId, FunctionId, Reason, TenantId, TraceContext, UserId, VersionId};

/// Everything a worker needs to build one version.
#[derive(Debug)]
pub struct StartedBuild {
    /// Which build.
    pub id: BuildId,
    /// Who pays.
    pub tenant: TenantId,
    /// Who made the version.
    pub author: UserId,
    /// Which function.
    pub function: FunctionId,
    /// Which version of it.
    pub version: VersionId,
    /// What the version calls its runtime, `go1.21` for example.
    pub runtime: String,
    /// The source bundle as it was stored.
    pub bundle: Vec<u8>,
    /// How long it waited for a worker.
    pub waited: Duration,
    /// What set it off; None of builds that were asked for before this was written down.
    pub trace: Option<TraceContext>,
}

/// Marks a build as running and loads what it needs; None when it is already final.
pub async fn start(db: &Db, id: BuildId) -> Result<Option<StartedBuild>, StoreError> {
    let row = sqlx::query!(
        r#"update build b set status = 'running', started_at = now()
         from function_version v join function_source s on s.version_id = v.id
         where b.id = $1 and b.status in ('pending', 'running') and v.id = b.version_id
         returning b.tenant_id, b.function_id, b.version_id, v.runtime, v.created_by, s.bundle, b.traceparent,
                   extract(epoch from b.started_at - b.queued_at)::float8 as "waited_seconds!""#,
        id.0
    )
    .fetch_optional(db.autocommit())
    .await?;
    Ok(row.map(|row| StartedBuild {
        id,
        tenant: TenantId(row.tenant_id),
        author: UserId(row.created_by),
        function: FunctionId(row.function_id),
        version: VersionId(row.version_id),
        runtime: row.runtime,
        bundle: row.bundle,
        waited: Duration::try_from_secs_f64(row.waited_seconds).unwrap_or_default(),
        trace: row.traceparent.and_then(|text| text.parse().ok()),
    }))
}

/// A compiled binary in the artifact store.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// sha256 over everything that went into it.
    pub key: [u8; 32],
    /// sha256 of the binary.
    pub sha256: [u8; 32],
    /// Size of the binary.
    pub size_bytes: u64,
    /// What compiled it, `go1.27.3` for example.
    pub toolchain: String,
}

/// The artifact that the same inputs gave before, if any; from now on it counts as just used.
pub async fn find_artifact(db: &Db, key: [u8; 32]) -> Result<Option<Artifact>, StoreError> {
    let row = sqlx::query!(
        "update artifact set used_at = now() where key = $1
         returning sha256, size_bytes, toolchain",
        key.as_slice()
    )
    .fetch_optional(db.autocommit())
    .await?;
    row.map(|row| {
        Ok(Artifact {
            key,
            sha256: sha256(row.sha256)?,
            size_bytes: row.size_bytes.unsigned_abs(),
            toolchain: row.toolchain,
        })
    })
    .transpose()
}

/// How a build ended.
#[derive(Debug, Clone)]
pub struct FinishedBuild {
    /// The binary, or why there is none.
    pub result: Result<Artifact, BuildFailure>,
    /// What the compiler said, as data.
    pub diagnostics: serde_json::Value,
    /// What the compiler said, as text; never holds NUL.
    pub log: String,
    /// True when it said more than was kept.
    pub log_truncated: bool,
    /// True when nothing had to be compiled.
    pub cached: bool,
}

/// Why there is no binary.
#[derive(Debug, Clone)]
pub struct BuildFailure {
    /// One word, `compile_error` or the name of a limit.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Writes the outcome of a running build and, when it succeeded, lets the version serve. Goes into
/// the transaction that settles its job.
pub async fn record(
    tx: &mut Tx,
    build: &StartedBuild,
    finished: &FinishedBuild,
) -> Result<(), StoreError> {
    let (artifact, failure) = match &finished.result {
        Ok(artifact) => (Some(artifact), None),
        Err(failure) => (None, Some(failure)),
    };
    let done = sqlx::query!(
        "update build
         set status = $2, reason = $3, message = $4, diagnostics = $5, log = $6,
             log_truncated = $7, toolchain = $8, cached = $9, completed_at = clock_timestamp()
         where id = $1 and status = 'running'",
        build.id.0,
        if failure.is_none() { "succeeded" } else { "failed" },
        failure.map(|failure| failure.reason.as_str()),
        failure.map(|failure| failure.message.as_str()),
        finished.diagnostics,
        finished.log,
        finished.log_truncated,
        artifact.map(|artifact| artifact.toolchain.as_str()),
        finished.cached,
    )
    .execute(&mut **tx)
    .await?;
    one_changed(&done, "a build that ended")?;
    match artifact {
        Some(artifact) => put_into_service(tx, build, artifact).await,
        None => fail_unless_serving(tx, build.function).await,
    }
}

/// The version serves, or the newest that shares its build; but a build that ends late never takes
/// the place of what was decided after it.
async fn put_into_service(
    tx: &mut Tx,
    build: &StartedBuild,
    artifact: &Artifact,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into artifact (key, sha256, size_bytes, toolchain) values ($1, $2, $3, $4)
         on conflict (key) do update
         set sha256 = excluded.sha256, size_bytes = excluded.size_bytes,
             toolchain = excluded.toolchain, used_at = now()",
        artifact.key.as_slice(),
        artifact.sha256.as_slice(),
        i64::try_from(artifact.size_bytes).unwrap_or(i64::MAX),
        artifact.toolchain,
    )
    .execute(&mut **tx)
    .await?;
    // From here on nobody adds a version that shares this build without seeing that it succeeded.
    sqlx::query!("select id from function where id = $1 for no key update", build.function.0)
        .fetch_one(&mut **tx)
        .await?;
    // Built before or not: a newer toolchain gives the same source another key.
    sqlx::query!(
        "update function_version set artifact_key = $3
         where function_id = $1 and (id = $2 or built_as = $2) and removed_at is null",
        build.function.0,
        build.version.0,
        artifact.key.as_slice(),
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update function f
         set status = 'active', current_version = v.number, switch_floor = v.number,
             updated_at = now()
         from (select max(number) as number from function_version
               where function_id = $1 and (id = $2 or built_as = $2) and removed_at is null) v
         where f.id = $1 and v.number > f.switch_floor",
        build.function.0,
        build.version.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A function that never served has failed when none of its builds is left.
async fn fail_unless_serving(tx: &mut Tx, function: FunctionId) -> Result<(), StoreError> {
    sqlx::query!("select id from function where id = $1 for no key update", function.0)
        .fetch_one(&mut **tx)
        .await?;
    sqlx::query!(
        "update function f set status = 'failed', updated_at = now()
         where f.id = $1 and f.status = 'pending' and f.current_version is null
           and not exists (
               select from build b where b.function_id = $1 and b.status in ('pending', 'running'))",
        function.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a build that nobody wants any more before it ran to an end.
pub async fn record_cancelled(tx: &mut Tx, id: BuildId) -> Result<(), StoreError> {
    let failure = BuildFailure {
        reason: Reason::Cancelled.as_str().to_owned(),
        message: "the build was cancelled".to_owned(),
    };
    give_up(tx, id, &failure).await
}

/// Ends a build that could not be carried out.
pub async fn give_up(tx: &mut Tx, id: BuildId, failure: &BuildFailure) -> Result<(), StoreError> {
    let function = sqlx::query_scalar!(
        "update build set status = 'failed', reason = $2, message = $3, completed_at = now()
         where id = $1 and status in ('pending', 'running')
         returning function_id",
        id.0,
        failure.reason,
        failure.message,
    )
    .fetch_optional(&mut **tx)
    .await?;
    match function {
        Some(function) => fail_unless_serving(tx, FunctionId(function)).await,
        None => Ok(()),
    }
}
