//! What other tests rely on when they ask for a database.

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use test_support::TestDatabase;

#[tokio::test]
async fn every_test_has_a_database_of_its_own() {
    let (first, second) = tokio::join!(TestDatabase::create(), TestDatabase::create());
    let (first_pool, second_pool) = (first.pool().await, second.pool().await);

    sqlx::raw_sql("CREATE TABLE mine (id int)").execute(&first_pool).await.unwrap();

    let seen: Option<String> = sqlx::query_scalar("SELECT to_regclass('mine')::text")
        .fetch_one(&second_pool)
        .await
        .unwrap();
    assert_eq!(seen, None);
}

#[tokio::test]
async fn a_dropped_database_is_gone_even_while_somebody_is_connected() {
    let database = TestDatabase::create().await;
    let url = database.url().to_owned();
    let _still_connected = PgConnection::connect(&url).await.unwrap();

    drop(database);

    let refused = PgConnection::connect(&url).await.unwrap_err();
    assert!(refused.to_string().contains("does not exist"), "{refused}");
}

#[tokio::test]
async fn an_empty_database_holds_no_migration() {
    let database = TestDatabase::empty().await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_one(&database.pool().await)
            .await
            .unwrap();
    assert_eq!(tables, 0);
}
