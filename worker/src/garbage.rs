//! Removes binaries that no version refers to any more, from the database first and then from the
//! store.

use std::time::Duration;

use shared::{
    artifact::{ArtifactError, ArtifactStore},
    store::{Db, StoreError, artifact},
};

/// Versions of a function that can be rolled back to without a build.
const KEPT_VERSIONS: u32 = 10;
/// How long a binary outlives its last use: far longer than any build, so that one that has just been
/// built, or found by a build that is not recorded yet, is never taken away.
pub(crate) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Why nothing, or not everything, was removed. What is left is found again by nobody, which costs
/// room in the store and nothing else.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GarbageError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Returns how many binaries were removed. Several workers may do it at once.
pub(crate) async fn collect(
    db: &Db,
    store: &ArtifactStore,
    grace: Duration,
) -> Result<usize, GarbageError> {
    artifact::release(db, KEPT_VERSIONS).await?;
    let mut removed = 0;
    for sha256 in artifact::forget_unreferenced(db, grace).await? {
        // A build may have put the same bytes again since: then they are young, and stay.
        removed += usize::from(store.remove_older(sha256, grace).await?);
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;
    use test_support::TestDatabase;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    struct Scene {
        sql: PgPool,
        db: Db,
        store: ArtifactStore,
        _folder: tempfile::TempDir,
        _database: TestDatabase,
    }

    impl Scene {
        async fn new() -> Self {
            let database = TestDatabase::create().await;
            let folder = tempfile::tempdir().unwrap();
            Self {
                sql: database.pool().await,
                db: Db::connect(database.url(), 2).await.unwrap(),
                store: ArtifactStore::open(folder.path()).unwrap(),
                _folder: folder,
                _database: database,
            }
        }

        /// An artifact that was used so many hours ago, with this binary.
        async fn artifact(&self, key: u8, binary: &str, hours_ago: i32) -> [u8; 32] {
            let sha256 = self.store.put(binary.into()).await.unwrap();
            let insert = "insert into artifact (key, sha256, size_bytes, toolchain, used_at)
                          values ($1, $2, 1, 'go', now() - make_interval(hours => $3))";
            let insert = sqlx::query(insert).bind(vec![key; 32]).bind(sha256.to_vec());
            insert.bind(hours_ago).execute(&self.sql).await.unwrap();
            sha256
        }

        /// A function with the versions 1 to `latest`, all with this artifact; the last one serves.
        async fn function(&self, key: u8, latest: i32, is_deleted: bool) {
            let mut tx = self.sql.begin().await.unwrap();
            // Who owns it does not matter here.
            sqlx::query("set local session_replication_role = replica")
                .execute(&mut *tx)
                .await
                .unwrap();
            let insert = "with f as (
                    insert into function (id, tenant_id, project_id, name, trigger, status,
                        current_version, latest_version, created_by, deleted_at)
                    values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'f', 'http',
                        'active', $2, $2, gen_random_uuid(), case when $3 then now() end)
                    returning id)
                insert into function_version (id, tenant_id, function_id, number, runtime,
                    timeout_seconds, memory_mib, artifact_key, created_by)
                select gen_random_uuid(), gen_random_uuid(), f.id, n, 'rust', 1, 16, $1,
                    gen_random_uuid()
                from f, generate_series(1, $2) n";
            let insert = sqlx::query(insert).bind(vec![key; 32]).bind(latest).bind(is_deleted);
            insert.execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        }

        async fn is_there(&self, sha256: [u8; 32]) -> bool {
            self.store.get(sha256).await.is_ok()
        }
    }

    #[tokio::test]
    async fn what_nothing_refers_to_goes_after_the_grace_time() {
        let scene = Scene::new().await;
        let old = scene.artifact(1, "old", 2).await;
        let young = scene.artifact(2, "young", 0).await;
        let used = scene.artifact(3, "used", 2).await;
        scene.function(3, 1, false).await;
        let deleted = scene.artifact(4, "deleted", 2).await;
        scene.function(4, 1, true).await;
        let twice = scene.artifact(5, "twice", 2).await;
        assert_eq!(scene.artifact(6, "twice", 0).await, twice);
        // The store's own clock: all of these were put just now.
        assert_eq!(collect(&scene.db, &scene.store, HOUR).await.unwrap(), 0);
        let left = sqlx::query_scalar::<_, i64>("select count(*) from artifact");
        assert_eq!(
            left.fetch_one(&scene.sql).await.unwrap(),
            3,
            "old, deleted and one are forgotten"
        );
        for sha256 in [young, used, twice] {
            assert!(scene.is_there(sha256).await);
        }
        assert!(scene.is_there(old).await && scene.is_there(deleted).await, "put just now");
    }

    #[tokio::test]
    async fn binaries_that_are_old_in_the_store_too_are_deleted() {
        let scene = Scene::new().await;
        let gone = scene.artifact(1, "gone", 2).await;
        let kept = scene.artifact(2, "kept", 2).await;
        scene.function(2, 1, false).await;
        assert_eq!(collect(&scene.db, &scene.store, Duration::ZERO).await.unwrap(), 1);
        assert!(!scene.is_there(gone).await && scene.is_there(kept).await);
    }

    #[tokio::test]
    async fn the_newest_versions_and_the_one_that_serves_keep_their_binary() {
        let scene = Scene::new().await;
        scene.artifact(1, "x", 0).await;
        scene.function(1, 14, false).await;
        sqlx::query("update function set current_version = 2").execute(&scene.sql).await.unwrap();
        collect(&scene.db, &scene.store, HOUR).await.unwrap();
        let kept = "select number from function_version where artifact_key is not null order by 1";
        let kept: Vec<i32> = sqlx::query_scalar(kept).fetch_all(&scene.sql).await.unwrap();
        assert_eq!(kept, [2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    }
}
