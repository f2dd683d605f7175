//! The database handle: statements, transactions, and what goes wrong with them.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgQueryResult},
};
use tokio::{sync::OnceCell, time::timeout};

use super::{
    autocommit::Autocommit,
    pool::{Pool, Session, Tx},
};
use crate::domain::{TenantId, UnknownWord};

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
    /// Sessions are not ours alone. The role and the tenant of a session are what keeps tenants apart.
    #[error(
        "failed to use the database at {place}: something on the way, such as PgBouncer, does not pass on \
         the settings of a session; connect to the server itself"
    )]
    Pooler {
        /// Host and port, or the folder of its socket.
        place: String,
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

/// A handle to one Postgres database; clones share its sessions.
#[derive(Debug, Clone)]
pub struct Db {
    /// Sessions of the platform, which sees everything.
    platform: Pool,
    /// Sessions that see a tenant's rows and nothing else.
    tenants: Arc<OnceCell<Pool>>,
    bounds: Bounds,
}

/// How many connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For the platform's own statements, such as a worker's.
    pub platform: u32,
    /// For statements on behalf of tenants.
    pub tenants: u32,
}

impl From<u32> for Bounds {
    /// As many for the ones as for the others; they are opened as they are needed.
    fn from(each: u32) -> Self {
        Self { platform: each, tenants: each }
    }
}

impl Db {
    /// What every session asks for. No statement here wants to read a whole table, whatever the
    /// statistics of one that was just empty suggest. That makes plans look dear that are not, so
    /// none is worth compiling; and planning costs more than running, so each is planned once. The
    /// few statements with conditions that may be absent ask for more (`plan_for_values`). A process
    /// that is stopped in the middle of a transaction must not hold its locks longer than a lease
    /// lives. And a ROLLBACK that finds nothing to undo is nothing to be told of.
    const SESSION: [(&str, &str); 6] = [
        ("enable_seqscan", "off"),
        ("jit", "off"),
        ("client_min_messages", "error"),
        ("plan_cache_mode", "force_generic_plan"),
        ("idle_in_transaction_session_timeout", "4s"),
        ("statement_timeout", "30s"),
    ];

    /// Connects to a server that keeps what a session asks for.
    pub async fn connect(url: &str, bounds: impl Into<Bounds>) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.application_name("apprun").options(Self::SESSION);
        // A pool is patient; one connection by itself says at once what is wrong.
        let place = || format!("{}:{}", options.get_host(), options.get_port());
        let mut first = PgConnection::connect_with(&options)
            .await
            .map_err(|source| StoreError::Connect { place: place(), source })?;
        let are_kept = "select current_setting('enable_seqscan') = 'off'";
        if !sqlx::query_scalar::<_, bool>(are_kept).fetch_one(&mut first).await? {
            return Err(StoreError::Pooler { place: place() });
        }
        first.close().await?;
        let bounds = bounds.into();
        let platform = Pool::new(options, None, bounds.platform);
        Ok(Self { platform, tenants: Arc::default(), bounds })
    }

    /// Starts a transaction.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.session().await?.begin("BEGIN".to_owned()).await?)
    }

    /// Starts a transaction on behalf of somebody of this tenant. The database itself keeps every
    /// other tenant's rows from it, whatever its statements say.
    pub async fn begin_for(&self, tenant: TenantId) -> Result<Tx, StoreError> {
        // One trip to the database; an id holds nothing but digits and dashes.
        let begin = format!("BEGIN; set local app.tenant = '{}'", tenant.0);
        Ok(self.tenants().await?.session().await?.begin(begin).await?)
    }

    /// One statement, in a transaction of its own.
    pub(crate) const fn autocommit(&self) -> Autocommit<'_> {
        Autocommit { db: self, tenant: None }
    }

    /// The same on behalf of somebody of this tenant, as in `begin_for`.
    pub(crate) const fn autocommit_for(&self, tenant: TenantId) -> Autocommit<'_> {
        Autocommit { db: self, tenant: Some(tenant) }
    }

    pub(super) async fn session(&self) -> Result<Session, sqlx::Error> {
        self.platform.session().await
    }

    pub(super) async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        self.platform.connection().await
    }

    pub(super) async fn session_for(&self, tenant: TenantId) -> Result<Session, sqlx::Error> {
        let mut session = self.tenants().await?.session().await?;
        session.act_for(tenant).await?;
        Ok(session)
    }

    /// Sessions of the role that cannot see past a tenant; see migration 22. Where it does not exist, or
    /// this user may not take it, the policies hold for the user itself.
    async fn tenants(&self) -> Result<&Pool, sqlx::Error> {
        let open = async || {
            let has_role: bool = sqlx::query_scalar(
                "select exists (select from pg_roles
                                where rolname = 'apprun_api'
                                  and pg_has_role(current_user, oid, 'member'))",
            )
            .fetch_one(self.autocommit())
            .await?;
            let role = has_role.then_some("apprun_api");
            Ok(Pool::new(self.options().clone(), role, self.bounds.tenants))
        };
        self.tenants.get_or_try_init(open).await
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        self.platform.options()
    }

    /// One trip to the database and back.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query!("select 1 as one").fetch_one(self.autocommit()).await?;
        Ok(())
    }

    /// What the connections of this process do right now, pool by pool.
    pub fn connections(&self) -> Vec<(&'static str, Connections)> {
        let count = |connections: usize| u32::try_from(connections).unwrap_or(u32::MAX);
        let of = |pool: &Pool| {
            let status = pool.status();
            Connections {
                busy: count(status.size.saturating_sub(status.available)),
                idle: count(status.available),
                max: count(status.max_size),
            }
        };
        let tenants = self.tenants.get().map(|pool| ("tenants", of(pool)));
        [("platform", of(&self.platform))].into_iter().chain(tenants).collect()
    }

    /// Closes every connection, and waits for those in use; later calls fail.
    pub async fn close(&self) {
        self.platform.close().await;
        if let Some(tenants) = self.tenants.get() {
            tenants.close().await;
        }
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
            .fetch_one(db.autocommit())
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
