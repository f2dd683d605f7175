//! The database handle: a bounded pool and transactions.

use std::{io::ErrorKind, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult},
};

use tokio::{sync::OnceCell, time::timeout};

use crate::domain::{TenantId, UnknownWord};

/// One transaction; rolled back unless committed.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// What the database answered instead of a result. The text never leaves the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The statement or the connection failed.
    #[error("failed to run a statement")]
    Database(#[from] sqlx::Error),
    /// There is no database at this place, or it does not let us in.
    #[error("failed to connect to the database at {place}")]
    Connect {
        /// Host and port, or the folder of its socket.
        place: String,
        /// What the system or the server said.
        source: sqlx::Error,
    },
    /// Nobody ran the migrations of this program.
    #[error("failed to use the database: its schema is missing or old; run `apprun migrate`")]
    OldSchema,
    /// The schema could not be brought up to date.
    #[error("failed to migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Somebody holds a table that a migration wants to change.
    #[error(
        "failed to migrate the database: a table stayed locked by somebody else; \
         nothing of that migration was done, run it again"
    )]
    Locked,
    /// A row was not in the state that the statement names; the transaction must not commit.
    #[error("failed to change {0}: it is not in the expected state")]
    UnexpectedState(&'static str),
    /// A row holds what no version of this program writes.
    #[error("failed to read a row: {0}")]
    Row(String),
}

impl StoreError {
    /// A row that this program cannot read: says what was wrong with it.
    pub(crate) fn unreadable(cause: impl std::fmt::Display) -> Self {
        Self::Row(cause.to_string())
    }

    /// True when the same statement may well succeed later: the server is gone, restarting, full, or
    /// rolled a transaction back to break a deadlock or because it took too long.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                // SQLSTATE classes: connection, rollback, resources, operator intervention, system; and
                // a transaction that was ended because its program was stopped.
                const CLASSES: [&str; 6] = ["08", "25P03", "40", "53", "57", "58"];
                error.code().is_some_and(|code| CLASSES.iter().any(|class| code.starts_with(class)))
            }
            Self::Database(
                sqlx::Error::Io(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::WorkerCrashed,
            ) => true,
            _ => false,
        }
    }

    /// The name of the unique constraint that refused the statement, if one did.
    pub fn violated_constraint(&self) -> Option<&str> {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.constraint(),
            _ => None,
        }
    }

    /// True when this process is closing its connections: another one may well do it.
    pub const fn is_closing(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::PoolClosed))
    }
}

/// How many connections of a pool are in use, how many wait for use, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Given out.
    pub busy: u32,
    /// Open and free.
    pub idle: u32,
    /// Open at once, at most.
    pub max: u32,
}

/// A handle to one Postgres database; clones share the pool.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    has_tenant_role: Arc<OnceCell<bool>>,
}

impl Db {
    /// How long a caller may wait for a free connection before it is told that the platform is full.
    const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

    /// How long a connection may lie unused before it is asked for a sign of life.
    const TRUSTED_FOR: Duration = Duration::from_secs(1);

    /// What every session asks for. No statement here wants to read a whole table, whatever the
    /// statistics of one that was just empty suggest. That makes plans look dear that are not, so
    /// none is worth compiling; and planning costs more than running, so each is planned once. The
    /// few statements with conditions that may be absent ask for more (`plan_for_values`). A process
    /// that is stopped in the middle of a transaction must not hold its locks longer than a lease
    /// lives.
    const SESSION: [(&str, &str); 5] = [
        ("enable_seqscan", "off"),
        ("jit", "off"),
        ("plan_cache_mode", "force_generic_plan"),
        ("idle_in_transaction_session_timeout", "4s"),
        ("statement_timeout", "30s"),
    ];

    /// Connects, with at most `max_connections` open at once.
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("apprun").options(Self::SESSION);
        // A pool only says that it waited in vain; one connection by itself says why.
        let first = PgConnection::connect_with(&options).await.map_err(|source| {
            let place = format!("{}:{}", options.get_host(), options.get_port());
            StoreError::Connect { place, source }
        })?;
        first.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(Self::ACQUIRE_TIMEOUT)
            // A trip to the server for each statement is one too many for a connection that worked a
            // moment ago; should it be gone after all, the statement fails and is tried again.
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move {
                    match idle.idle_for < Self::TRUSTED_FOR {
                        true => Ok(true),
                        false => connection.ping().await.map(|()| true),
                    }
                })
            })
            // The pool asks each connection that comes back for a sign of life, and would wait for it
            // for ever if the other end is gone without a word.
            .after_release(|connection, _| {
                Box::pin(async move {
                    let alive = timeout(Self::ACQUIRE_TIMEOUT, connection.ping()).await;
                    alive.map_err(|_| sqlx::Error::Io(ErrorKind::TimedOut.into()))?.map(|()| true)
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self { pool, has_tenant_role: Arc::default() })
    }

    /// Starts a transaction.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// Starts a transaction on behalf of somebody of this tenant. The database itself keeps every
    /// other tenant's rows from it, whatever its statements say.
    pub async fn begin_for(&self, tenant: TenantId) -> Result<Tx, StoreError> {
        let role = if self.has_tenant_role().await? { "set local role apprun_api;" } else { "" };
        // One trip to the database; an id holds nothing but digits and dashes.
        let begin = format!("begin; {role} set local app.tenant = '{}'", tenant.0);
        Ok(self.pool.begin_with(AssertSqlSafe(begin)).await?)
    }

    /// Whether the role exists and this user may take it; see migration 22. Without it the policies
    /// hold for the user itself.
    async fn has_tenant_role(&self) -> Result<bool, StoreError> {
        let ask = async || {
            sqlx::query_scalar(
                "select exists (select from pg_roles
                                where rolname = 'apprun_api'
                                  and pg_has_role(current_user, oid, 'member'))",
            )
            .fetch_one(&self.pool)
            .await
        };
        Ok(*self.has_tenant_role.get_or_try_init(ask).await?)
    }

    /// One trip to the database and back.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query!("select 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// What the connections of this process do right now.
    pub fn connections(&self) -> Connections {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        let max = self.pool.options().get_max_connections();
        Connections { busy: self.pool.size().saturating_sub(idle), idle, max }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Closes every connection; later calls fail.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes a transaction durable.
pub async fn commit(tx: Tx) -> Result<(), StoreError> {
    Ok(tx.commit().await?)
}

/// The server's number of a transaction, by which can be asked what became of it.
#[derive(Debug, Clone)]
pub struct TxNumber(pub(crate) String);

/// Makes a transaction durable. When the answer to the COMMIT is lost, asks whether it went through: who
/// is told to try again although it did makes everything twice.
pub async fn commit_for_sure(db: &Db, tx: Tx, number: &TxNumber) -> Result<(), StoreError> {
    /// The server notices within seconds that the other end of a connection is gone.
    const PATIENCE: Duration = Duration::from_secs(6);
    let Err(error) = commit(tx).await else { return Ok(()) };
    let was_committed = timeout(PATIENCE, was_committed(db, number)).await.unwrap_or(false);
    if was_committed { Ok(()) } else { Err(error) }
}

/// Waits for the end of a transaction that is not ours any more.
async fn was_committed(db: &Db, number: &TxNumber) -> bool {
    const LOOK_EVERY: Duration = Duration::from_millis(250);
    loop {
        let status = sqlx::query_scalar!("select pg_xact_status($1::text::xid8)", number.0)
            .fetch_one(db.pool())
            .await;
        match status.as_ref().map(Option::as_deref) {
            Ok(Some("in progress")) | Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            Ok(status) => return status == Some("committed"),
        }
    }
}

/// Reads a column that holds one word of a closed list.
pub(super) fn word<T>(text: &str) -> Result<T, StoreError>
where
    T: FromStr<Err = UnknownWord>,
{
    text.parse().map_err(|error: UnknownWord| StoreError::unreadable(error.to_string()))
}

/// Reads a column that holds a sha256.
pub(super) fn sha256(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::unreadable("a sha256 is not 32 bytes"))
}

/// Insists that a statement changed its one row: if it did not, somebody else decided.
pub(crate) fn one_changed(done: &PgQueryResult, what: &'static str) -> Result<(), StoreError> {
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::UnexpectedState(what)) }
}
