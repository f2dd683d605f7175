//! Statements that are transactions of their own.

use futures_util::{
    StreamExt, TryFutureExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    Describe, Either, Execute, Executor, Postgres, SqlStr,
    postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};

use super::{Db, pool::Session};
use crate::domain::TenantId;

/// Runs one statement, for the platform or on behalf of a tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Autocommit<'d> {
    pub(super) db: &'d Db,
    pub(super) tenant: Option<TenantId>,
}

impl Autocommit<'_> {
    async fn session(self) -> Result<Session, sqlx::Error> {
        match self.tenant {
            Some(tenant) => self.db.session_for(tenant).await,
            None => self.db.session().await,
        }
    }
}

impl<'d> Executor<'d> for Autocommit<'d> {
    type Database = Postgres;

    /// Gathers the result before it gives the first row: whoever reads slowly must not keep a session
    /// from the others.
    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'd: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let gathered = async move {
            let session = self.session().await?;
            session.run(async |it| it.fetch_many(query).try_collect::<Vec<_>>().await).await
        };
        gathered.map_ok(|steps| stream::iter(steps).map(Ok)).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'd: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        Box::pin(async move {
            self.session().await?.run(async |it| it.fetch_optional(query).await).await
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'd: 'e,
    {
        Box::pin(async move {
            self.session().await?.run(async |it| it.prepare_with(sql, parameters).await).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'd: 'e,
    {
        Box::pin(async move { self.session().await?.run(async |it| it.describe(sql).await).await })
    }
}

#[cfg(test)]
mod tests {
    use test_support::TestDatabase;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn of_one_session_each_statement_sees_the_tenant_it_is_for() {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 1).await.unwrap();
        let tenants = [TenantId::new(), TenantId::new()];
        for tenant in tenants {
            sqlx::query("insert into tenant (id, name, plan) values ($1, 'a', 'free')")
                .bind(tenant.0)
                .execute(db.autocommit())
                .await
                .unwrap();
        }
        let all = async |of: Autocommit<'_>| {
            let ids = sqlx::query_scalar::<_, Uuid>("select id from tenant").fetch_all(of).await;
            ids.unwrap().len()
        };
        let [ann, bob] = tenants;
        for tenant in [ann, bob, bob, ann] {
            let seen = sqlx::query_scalar::<_, Uuid>("select id from tenant")
                .fetch_all(db.autocommit_for(tenant))
                .await
                .unwrap();
            assert_eq!(seen, [tenant.0]);
            let mut other = db.begin_for(bob).await.unwrap();
            let seen = sqlx::query_scalar::<_, Uuid>("select id from tenant")
                .fetch_all(&mut *other)
                .await
                .unwrap();
            assert_eq!(seen, [bob.0]);
        }
        assert_eq!(all(db.autocommit()).await, tenants.len());
    }
}
