//! Removes binaries that no version refers to any more, from the database first and then from the
//! store.

use std::time::Duration;

use shared::{
    artifact::{ArtifactError, ArtifactStore},
    store::{Db, StoreError, artifact},
};

/// Why nothing, or not everything, was removed. Nothing finds the rest again; it takes up room in the store
/// and does no other harm.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GarbageError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}

/// Returns how many binaries were removed. `grace` is how long one outlives its last use: far longer than
/// any build, so that one that has just been built, or found by a build that is not recorded yet, is never
/// taken away. Some at a time; the next round goes on.
pub(crate) async fn collect(
    db: &Db,
    store: &ArtifactStore,
    grace: Duration,
) -> Result<usize, GarbageError> {
    let (mut removed, mut trouble) = (0, None);
    for sha256 in artifact::forget_unreferenced(db, grace).await? {
        // A build may have put the same bytes again since: then they are young, and stay.
        match store.remove_older(sha256, grace).await {
            Ok(is_removed) => removed += usize::from(is_removed),
            // All are forgotten by now, so each is tried, and the first failure told.
            Err(error) => trouble = trouble.or(Some(error)),
        }
    }
    trouble.map_or(Ok(removed), |error| Err(error.into()))
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

        /// A function with one version, which has this artifact.
        async fn function(&self, key: u8) {
            let mut tx = self.sql.begin().await.unwrap();
            // Who owns it does not matter here.
            sqlx::query("set local session_replication_role = replica")
                .execute(&mut *tx)
                .await
                .unwrap();
            let insert = "with f as (
                    insert into function (id, tenant_id, project_id, name, trigger, status,
                        current_version, latest_version, created_by)
                    values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'f', 'http',
                        'active', 1, 1, gen_random_uuid())
                    returning id)
                insert into function_version (id, tenant_id, function_id, number, runtime,
                    timeout_seconds, memory_mib, artifact_key, created_by)
                select gen_random_uuid(), gen_random_uuid(), f.id, 1, 'rust', 1, 16, $1,
                    gen_random_uuid()
                from f";
            sqlx::query(insert).bind(vec![key; 32]).execute(&mut *tx).await.unwrap();
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
        scene.function(3).await;
        let twice = scene.artifact(5, "twice", 2).await;
        assert_eq!(scene.artifact(6, "twice", 0).await, twice);
        // The store's own clock: all of these were put just now.
        assert_eq!(collect(&scene.db, &scene.store, HOUR).await.unwrap(), 0);
        let left = sqlx::query_scalar::<_, i64>("select count(*) from artifact");
        assert_eq!(
            left.fetch_one(&scene.sql).await.unwrap(),
            3,
            "old and one of the equals are forgotten"
        );
        for sha256 in [young, used, twice] {
            assert!(scene.is_there(sha256).await);
        }
        assert!(scene.is_there(old).await, "put just now");
    }

    #[tokio::test]
    async fn binaries_that_are_old_in_the_store_too_are_deleted() {
        let scene = Scene::new().await;
        let gone = scene.artifact(1, "gone", 2).await;
        let kept = scene.artifact(2, "kept", 2).await;
        scene.function(2).await;
        assert_eq!(collect(&scene.db, &scene.store, Duration::ZERO).await.unwrap(), 1);
        assert!(!scene.is_there(gone).await && scene.is_there(kept).await);
    }
}
