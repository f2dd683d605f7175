//! Brings the schema up to date, over a connection with rules of its own. Never takes anything back: a
//! schema that is newer than this program serves it too.

use std::{sync::LazyLock, time::Duration};

use sqlx::{
    Connection, PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
};

use super::{Db, StoreError};

static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../migrations");
    // The migrator's lock is taken before there is a bound on waiting. What a newer program has added
    // stays: after a way back to this one, too.
    migrator.set_locking(false).set_ignore_missing(true);
    migrator
});

/// Whoever wants a table waits behind a migration that waits for it, so the migration gives up first.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

impl Db {
    /// Brings the schema up to date; safe when several processes do so at once. A schema that is newer
    /// stays as it is.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrate_unless_locked(LOCK_PATIENCE).await
    }

    /// Insists that every migration of this program was run. A newer schema is fine: migrations
    /// keep what the version before them needs.
    pub async fn require_schema(&self) -> Result<(), StoreError> {
        // The table is sqlx's own, and missing where nothing was ever migrated.
        let run: Vec<i64> =
            sqlx::query_scalar("select version from _sqlx_migrations where success")
                .fetch_all(self.autocommit())
                .await
                .map_err(|_| StoreError::OldSchema)?;
        let all_run = MIGRATOR.iter().all(|migration| run.contains(&migration.version));
        if all_run { Ok(()) } else { Err(StoreError::OldSchema) }
    }

    async fn migrate_unless_locked(&self, lock_patience: Duration) -> Result<(), StoreError> {
        let mut connection = self.connect_to_migrate().await?;
        let migrated = migrate(&mut connection, lock_patience).await;
        connection.close().await?;
        migrated.map_err(|error| if is_locked_out(&error) { StoreError::Locked } else { error })
    }

    /// An index on a table that has grown takes as long as it takes.
    async fn connect_to_migrate(&self) -> Result<PgConnection, StoreError> {
        let options = self
            .options()
            .clone()
            .options([("statement_timeout", "0"), ("client_min_messages", "notice")]);
        Ok(PgConnection::connect_with(&options).await?)
    }
}

async fn migrate(connection: &mut PgConnection, lock_patience: Duration) -> Result<(), StoreError> {
    // However long whoever migrates at this moment needs for it. The end of the connection unlocks.
    connection.lock().await?;
    let patience_ms = lock_patience.as_millis().to_string();
    sqlx::query!("select set_config('lock_timeout', $1, false) as is_set", patience_ms)
        .fetch_one(&mut *connection)
        .await?;
    MIGRATOR.run_direct(None, &mut *connection, false).await?;
    // Of several at once, whoever comes second finds nothing left to do.
    let mut tx = connection.begin().await?;
    sqlx::query!("select pg_advisory_xact_lock(hashtext('protect_tenants'))")
        .execute(&mut *tx)
        .await?;
    sqlx::query!("select protect_tenants()").execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

fn is_locked_out(error: &StoreError) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    let (StoreError::Database(error)
    | StoreError::Migrate(
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _),
    )) = error
    else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(LOCK_NOT_AVAILABLE)
}

#[cfg(test)]
mod tests {
    use test_support::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn a_migration_may_take_longer_than_a_statement() {
        let database = TestDatabase::empty().await;
        let db = Db::connect(database.url(), 1).await.unwrap();
        let mut migrating = db.connect_to_migrate().await.unwrap();
        let timeout = "show statement_timeout";
        let of_statements: String =
            sqlx::query_scalar(timeout).fetch_one(db.autocommit()).await.unwrap();
        let of_migrations: String =
            sqlx::query_scalar(timeout).fetch_one(&mut migrating).await.unwrap();
        assert_eq!((of_statements.as_str(), of_migrations.as_str()), ("30s", "0"));
    }

    #[tokio::test]
    async fn a_migration_that_waits_for_a_table_gives_up_and_says_why() {
        let database = TestDatabase::create().await;
        let sql = database.pool().await;
        // The last one that changes a table which is always there.
        sqlx::query("delete from _sqlx_migrations where version = 38").execute(&sql).await.unwrap();
        let mut other = sql.begin().await.unwrap();
        sqlx::query("lock table execution, build").execute(&mut *other).await.unwrap();

        let db = Db::connect(database.url(), 1).await.unwrap();
        let migrated = db.migrate_unless_locked(Duration::from_millis(1)).await;
        assert!(matches!(migrated, Err(StoreError::Locked)), "{migrated:?}");
    }

    #[tokio::test]
    async fn a_schema_that_is_newer_than_the_program_stays_as_it_is() {
        let database = TestDatabase::create().await;
        let sql = database.pool().await;
        let newer = "insert into _sqlx_migrations
                         (version, description, success, checksum, execution_time)
                     values (9999, 'of tomorrow', true, '', 0)";
        sqlx::query(newer).execute(&sql).await.unwrap();
        let db = Db::connect(database.url(), 1).await.unwrap();
        db.migrate().await.unwrap();
        db.require_schema().await.unwrap();
    }
}
