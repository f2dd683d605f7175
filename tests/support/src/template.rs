//! The template every test database is cloned from: all of `migrations/`, applied once per content.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::server::Server;

/// Any fixed number: whoever builds a template holds this advisory lock, so that the processes of
/// a parallel run build it once.
const BUILD_LOCK: i64 = 0x6170_7072_756e;

/// The name of a database that holds exactly the current migrations, built if nobody has yet.
pub(crate) async fn ensure(server: &Server, admin: &mut PgConnection) -> String {
    let migrations_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let name = format!("template_{}", content_hash(&migrations_dir));
    if exists(admin, &name).await {
        return name;
    }
    lock(admin).await;
    if !exists(admin, &name).await {
        build(server, admin, &name, &migrations_dir).await;
    }
    unlock(admin).await;
    name
}

/// Builds under a working name and renames at the end: a killed builder leaves no half template.
async fn build(server: &Server, admin: &mut PgConnection, name: &str, migrations_dir: &Path) {
    let draft = format!("{name}_draft");
    run(admin, format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
    run(admin, format!("CREATE DATABASE {draft} TEMPLATE template0")).await;
    if migrations_dir.is_dir() {
        let migrator = Migrator::new(migrations_dir).await.expect("migrations/ can be read");
        let mut draft_connection = PgConnection::connect(&server.url(&draft))
            .await
            .expect("the new database accepts connections");
        migrator
            .run_direct(None, &mut draft_connection, false)
            .await
            .expect("every migration applies");
        // As the program does after its migrations; a migration under test may come before it.
        draft_connection
            .execute("select protect_tenants()")
            .await
            .expect("every table of a tenant is protected");
        draft_connection.close().await.expect("the connection closes");
    }
    run(admin, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
}

/// The first digits of a hash over the names and contents of all migrations.
fn content_hash(migrations_dir: &Path) -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(migrations_dir)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    files.sort();
    let mut hash = Sha256::new();
    for file in files.iter().filter(|file| file.is_file()) {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update(std::fs::read(file).expect("a migration can be read"));
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}

async fn exists(admin: &mut PgConnection, name: &str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(admin)
        .await
        .expect("the catalogue can be read")
}

async fn lock(admin: &mut PgConnection) {
    run(admin, format!("SELECT pg_advisory_lock({BUILD_LOCK})")).await;
}

async fn unlock(admin: &mut PgConnection) {
    run(admin, format!("SELECT pg_advisory_unlock({BUILD_LOCK})")).await;
}

async fn run(admin: &mut PgConnection, statement: String) {
    if let Err(error) = admin.execute(AssertSqlSafe(statement.clone())).await {
        panic!("{statement}: {error}");
    }
}
