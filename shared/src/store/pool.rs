//! The pool: a few sessions of one role, of which the one that was used last is used next, because its
//! server process is still warm in the processor's caches. Nobody asks a session for a sign of life
//! whose last statement was answered a moment ago. Why it is not sqlx's own: decision 43.

use std::{
    io::ErrorKind,
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

use deadpool::managed::{
    self, Manager, Metrics, Object, PoolError, QueueMode, RecycleError, RecycleResult, Status,
};
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    postgres::{PgConnectOptions, PgDatabaseError, PgSeverity},
    raw_sql,
};
use tokio::{runtime::Handle, time::timeout};

use crate::domain::TenantId;

/// How long a caller may wait for a session before it is told that the platform is full; and how long
/// what is unfinished may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long after an answer a session is taken to be alive without being asked.
const TRUSTED_FOR: Duration = Duration::from_millis(1500);

/// How long it may take to say that it is.
const SIGN_OF_LIFE_IN: Duration = Duration::from_secs(1);

/// How long a session may lie unused before it is closed.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// How old a session may become: what its server process remembers only grows.
const OLDEST: Duration = Duration::from_secs(1800);

/// Between two tries to reach a server that is starting.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// SQLSTATEs of a server that is starting or stopping, and of one that still counts connections which were
/// just given up.
const COME_BACK_LATER: [&str; 2] = ["57P03", "53300"];

/// Sessions with one database that all begin in the same way.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    sessions: managed::Pool<Connector>,
}

impl Pool {
    /// Opens nothing yet. Sessions take this role, where there is one to take, and none without it is used.
    pub(super) fn new(options: PgConnectOptions, role: Option<&'static str>, max: u32) -> Self {
        let options = options.options(role.map(|role| ("role", role)));
        let sessions = managed::Pool::builder(Connector { options, role })
            .max_size(max as usize)
            .queue_mode(QueueMode::Lifo)
            .recycle_timeout(Some(SIGN_OF_LIFE_IN))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .expect("a pool with timeouts has a runtime");
        tokio::spawn(close_unused(sessions.weak()));
        Self { sessions }
    }

    /// A free session, or a new one.
    pub(super) async fn session(&self) -> Result<Session, sqlx::Error> {
        let got = timeout(PATIENCE, self.sessions.get()).await;
        let object = got.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|error| match error {
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            PoolError::Closed => sqlx::Error::PoolClosed,
            PoolError::Backend(error) => error,
            PoolError::PostCreateHook(_) | PoolError::NoRuntimeSpecified => {
                unreachable!("a pool with a runtime and without hooks")
            }
        })?;
        Ok(Session { object: Some(object), unfinished: Unfinished::Nothing })
    }

    /// A connection that is nobody else's and not counted, for who keeps it long.
    pub(super) async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        let connected = timeout(PATIENCE, self.sessions.manager().create()).await;
        Ok(connected.map_err(|_| sqlx::Error::PoolTimedOut)??.connection)
    }

    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.sessions.manager().options
    }

    pub(super) fn status(&self) -> Status {
        self.sessions.status()
    }

    /// Closes what is free now, and waits for the rest to come back and be closed.
    pub(super) async fn close(&self) {
        self.sessions.close();
        while self.status().size > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Until the last handle of the pool is gone.
async fn close_unused(sessions: managed::WeakPool<Connector>) {
    loop {
        tokio::time::sleep(KEPT_FOR / 10).await;
        let Some(sessions) = sessions.upgrade() else { return };
        sessions.retain(|_, metrics| metrics.last_used() < KEPT_FOR);
    }
}

#[derive(Debug)]
struct Connector {
    options: PgConnectOptions,
    role: Option<&'static str>,
}

impl Connector {
    async fn connect(&self) -> Result<Connected, sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.options).await?;
        if let Some(role) = self.role {
            let current = sqlx::query_scalar::<_, String>("select current_user::text");
            if current.fetch_one(&mut connection).await? != role {
                let message = format!("a session did not take the role {role}");
                return Err(sqlx::Error::Configuration(message.into()));
            }
        }
        Ok(Connected { connection, tenant: None, heard_at: Instant::now() })
    }
}

/// A connection, and what its session remembers.
#[derive(Debug)]
struct Connected {
    connection: PgConnection,
    /// The tenant on whose behalf its statements run; None while that is nobody, or not known.
    tenant: Option<TenantId>,
    heard_at: Instant,
}

impl Manager for Connector {
    type Type = Connected;
    type Error = sqlx::Error;

    /// Waits for a server that is starting, as long as the pool lets it.
    async fn create(&self) -> Result<Connected, sqlx::Error> {
        loop {
            match self.connect().await {
                Err(error) if is_passing(&error) => tokio::time::sleep(TRY_AGAIN_AFTER).await,
                connected => return connected,
            }
        }
    }

    async fn recycle(
        &self,
        connected: &mut Connected,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.age() > OLDEST {
            return Err(RecycleError::message("too old"));
        }
        // One that is gone although it was trusted fails its statement, which is tried again.
        if connected.heard_at.elapsed() > TRUSTED_FOR {
            connected.connection.ping().await?;
        }
        Ok(())
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound)
        }
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| COME_BACK_LATER.contains(&code.as_ref()))
        }
        _ => false,
    }
}

/// What is left to do for a session that comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfinished {
    /// Nothing: its last statement was answered.
    Nothing,
    /// To hear the answer to its last statement, for which nobody waited.
    Statement,
    /// To end its transaction.
    Transaction,
    /// To be closed: nobody heard how far it came.
    Session,
}

/// A session that is given out. It comes back at once when nothing is unfinished, and otherwise once the
/// server has answered to that; when it does not answer in time, the connection is given up.
#[derive(Debug)]
pub(super) struct Session {
    /// None only while this is dropped.
    object: Option<Object<Connector>>,
    unfinished: Unfinished,
}

/// Why a session always has its object.
const UNTIL_DROPPED: &str = "a session has its connection until it is dropped";

impl Session {
    /// Runs one statement, in a transaction of its own.
    pub(super) async fn run<T>(
        mut self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        self.unfinished = Unfinished::Statement;
        let answer = statement(&mut self).await;
        self.heard(answer)
    }

    /// From now on, statements run on behalf of this tenant.
    pub(super) async fn act_for(&mut self, tenant: TenantId) -> Result<(), sqlx::Error> {
        if self.connected().tenant == Some(tenant) {
            return Ok(());
        }
        self.unfinished = Unfinished::Statement;
        self.connected_mut().tenant = None;
        // An id holds nothing but digits and dashes.
        let set = raw_sql(AssertSqlSafe(format!("set app.tenant = '{}'", tenant.0)));
        let answer = self.execute(set).await;
        self.heard(answer)?;
        self.connected_mut().tenant = Some(tenant);
        Ok(())
    }

    /// Starts a transaction, by this text.
    pub(super) async fn begin(mut self, begin: String) -> Result<Tx, sqlx::Error> {
        self.unfinished = Unfinished::Transaction;
        self.execute(raw_sql(AssertSqlSafe(begin))).await?;
        Ok(Tx { session: self })
    }

    /// Passes the answer of the last statement on; after a mere refusal the session is as good as before.
    fn heard<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        let lives = match &answer {
            Ok(_) => true,
            Err(sqlx::Error::Database(error)) => error
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|error| error.severity() == PgSeverity::Error),
            Err(_) => false,
        };
        if lives {
            self.unfinished = Unfinished::Nothing;
            self.connected_mut().heard_at = Instant::now();
        }
        answer
    }

    async fn finish(mut self, unfinished: Unfinished) {
        let finished = timeout(PATIENCE, async {
            match unfinished {
                Unfinished::Transaction => self.execute("ROLLBACK").await.map(drop),
                _ => self.ping().await,
            }
        });
        if let Ok(Ok(())) = finished.await {
            self.unfinished = Unfinished::Nothing;
        }
    }

    fn connected(&self) -> &Connected {
        self.object.as_ref().expect(UNTIL_DROPPED)
    }

    fn connected_mut(&mut self) -> &mut Connected {
        self.object.as_mut().expect(UNTIL_DROPPED)
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connected().connection
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connected_mut().connection
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        match (self.unfinished, Handle::try_current()) {
            (Unfinished::Nothing, _) => drop(object),
            // Without a runtime the process ends.
            (Unfinished::Session, _) | (_, Err(_)) => drop(Object::take(object)),
            (unfinished, Ok(runtime)) => {
                let session = Session { object: Some(object), unfinished: Unfinished::Session };
                runtime.spawn(session.finish(unfinished));
            }
        }
    }
}

/// One transaction; rolled back unless committed.
#[derive(Debug)]
pub struct Tx {
    session: Session,
}

impl Tx {
    /// Makes what was done durable.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Undoes what was done, and returns when it is undone.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), sqlx::Error> {
        let answer = self.session.execute(how).await;
        self.session.heard(answer).map(drop)
    }
}

impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.session
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.session
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use test_support::{Proxy, TestDatabase};

    use crate::store::Db;

    use super::*;

    /// Carries something on for at most so many steps, and gives it up.
    async fn give_up_after(steps: usize, future: impl Future) {
        let mut future = pin!(future);
        for _ in 0..steps {
            if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                return;
            }
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }

    #[tokio::test]
    async fn whatever_is_given_up_at_whatever_moment_the_session_is_as_good_as_new() {
        let database = TestDatabase::create().await;
        let (db, sql) = (Db::connect(database.url(), 1).await.unwrap(), database.pool().await);
        sqlx::query("create table kept (attempt int)").execute(&sql).await.unwrap();
        for attempt in 0..60 {
            let failing = async {
                let mut tx = db.begin().await.unwrap();
                let _ = sqlx::query("insert into kept select 1 / 0").execute(&mut *tx).await;
                tx.rollback().await
            };
            give_up_after(attempt % 6, failing).await;
            // In a transaction that was left open this would be undone, in a failed one refused.
            sqlx::query("insert into kept values ($1)")
                .bind(attempt as i32)
                .execute(db.autocommit())
                .await
                .unwrap();
            let kept = sqlx::query_scalar::<_, i64>("select count(*) from kept");
            assert_eq!(kept.fetch_one(&sql).await.unwrap(), attempt as i64 + 1);
        }
    }

    #[tokio::test]
    async fn a_session_whose_server_says_nothing_any_more_does_not_come_back() {
        let database = TestDatabase::create().await;
        let proxy = Proxy::before(database.url()).await;
        let db = Db::connect(proxy.url(), 1).await.unwrap();
        let unheard = db.begin().await.unwrap();
        proxy.silence();
        drop(unheard);
        let of_platform = || db.connections()[0].1;
        while of_platform().busy > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(of_platform().idle, 0);
    }
}
