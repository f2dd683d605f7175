//! One database for one test: cloned from the migrated template, dropped with its value.

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor};
use uuid::Uuid;

use crate::{server::Server, template};

/// A database of a test's own, with every migration applied. Dropping it removes the database and
/// cuts off whoever is still connected.
///
/// ```no_run
/// # async fn example() {
/// let database = test_support::TestDatabase::create().await;
/// let pool = database.pool().await; // or hand database.url() to the code under test
/// # }
/// ```
pub struct TestDatabase {
    name: String,
    url: String,
    /// Keeps the server alive for as long as this database is used.
    server: Server,
}

impl TestDatabase {
    /// A fresh database with all of `migrations/` applied.
    ///
    /// # Panics
    /// Without Postgres binaries on this machine, or when a migration fails; the text says which.
    pub async fn create() -> Self {
        let server = Server::join().await;
        let mut admin = server.connect_as_admin().await;
        let template = template::ensure(&server, &mut admin).await;
        Self::clone_of(&template, server, &mut admin).await
    }

    /// A fresh database with nothing in it, for tests of the migrations themselves.
    ///
    /// # Panics
    /// Like [`TestDatabase::create`].
    pub async fn empty() -> Self {
        let server = Server::join().await;
        let mut admin = server.connect_as_admin().await;
        Self::clone_of("template0", server, &mut admin).await
    }

    /// `postgres://…`, good for any number of connections from this machine.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A small connection pool on this database.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(10)
            .connect(&self.url)
            .await
            .expect("the test server accepts connections")
    }

    async fn clone_of(template: &str, server: Server, admin: &mut PgConnection) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        admin.execute(AssertSqlSafe(statement)).await.expect("the template can be cloned");
        Self { url: server.url(&name), name, server }
    }
}

impl Drop for TestDatabase {
    /// On a thread of its own, because a destructor cannot wait inside the test's runtime. Whatever
    /// goes wrong here goes away with the server, so it must not fail the test.
    fn drop(&mut self) {
        let admin_url = self.server.url("postgres");
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = PgConnection::connect(&admin_url).await?;
                admin.execute(AssertSqlSafe(statement)).await?;
                admin.close().await
            })
        });
        if !matches!(dropper.join(), Ok(Ok(()))) {
            eprintln!("note: test database {} was left to the end of its server", self.name);
        }
    }
}
