//! Locks that are nobody's row: held by a session of the database, and so gone with it, with the
//! process, and with the value, whichever is first.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::task::JoinHandle;

use super::{Db, StoreError};

/// Held while something is done that only one may do.
#[derive(Debug)]
pub struct SessionLock {
    held: JoinHandle<()>,
}

impl Drop for SessionLock {
    fn drop(&mut self) {
        self.held.abort();
    }
}

/// The lock of this number; None when somebody else has it.
pub(super) async fn try_lock(db: &Db, number: i64) -> Result<Option<SessionLock>, StoreError> {
    let mut connection = connect(db).await?;
    Ok(is_taken(&mut connection, number).await?.then(|| keep(connection)))
}

/// Waits until nobody else has the lock of this number.
pub(super) async fn lock(db: &Db, number: i64) -> Result<SessionLock, StoreError> {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let mut connection = connect(db).await?;
    while !is_taken(&mut connection, number).await? {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(keep(connection))
}

async fn connect(db: &Db) -> Result<PgConnection, StoreError> {
    let mut connection = db.connection().await?;
    // A machine that is gone closes nothing: the server ends a session that says nothing any more.
    sqlx::query!("set idle_session_timeout = '5s'").execute(&mut connection).await?;
    Ok(connection)
}

async fn is_taken(connection: &mut PgConnection, number: i64) -> Result<bool, StoreError> {
    let taken = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, number);
    Ok(taken.fetch_one(&mut *connection).await?)
}

/// Keeps a session alive; when that fails its lock is gone, and at worst something is done twice.
fn keep(mut connection: PgConnection) -> SessionLock {
    const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(1);
    let held = tokio::spawn(async move {
        loop {
            tokio::time::sleep(SIGN_OF_LIFE_EVERY).await;
            if sqlx::query!("select 1 as one").fetch_one(&mut connection).await.is_err() {
                return;
            }
        }
    });
    SessionLock { held }
}
