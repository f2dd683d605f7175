//! What the database itself keeps from a tenant, whatever the statements say.

use shared::{domain::TenantId, store::Db};
use sqlx::{AssertSqlSafe, PgPool, Row};
use test_support::TestDatabase;

use crate::harness::{App, FUNCTIONS, worker};

/// Tables without a tenant: what is in them belongs to the platform, or to nobody.
const OF_THE_PLATFORM: [&str; 7] = [
    "_sqlx_migrations",
    "artifact",
    "outside_identity",
    "realm",
    "toolchain_offer",
    "user_account",
    "q.lease",
];

async fn tables(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('public', 'q')
         order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_table_with_a_tenants_data_has_its_policies() {
    let database = TestDatabase::create().await;
    let pool = database.pool().await;
    for table in tables(&pool).await {
        if OF_THE_PLATFORM.contains(&table.as_str()) {
            continue;
        }
        let row = sqlx::query(
            "select c.relrowsecurity, c.relforcerowsecurity,
                    array(select polname::text from pg_policy where polrelid = c.oid order by 1)
             from pg_class c where c.oid = $1::regclass",
        )
        .bind(&table)
        .fetch_one(&pool)
        .await
        .unwrap();
        let (on, forced): (bool, bool) = (row.get(0), row.get(1));
        let policies: Vec<String> = row.get(2);
        assert!(on, "{table} has no row security: give it a tenant_id");
        assert!(forced || table.starts_with("q."), "{table}");
        assert_eq!(policies, ["of_platform", "of_tenant"], "{table}");
    }
}

/// A tenant with a bit of everything, and another one.
async fn two_tenants(app: &App) -> (TenantId, TenantId) {
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    app.guest(&owner, "viewer").await;
    app.invite(&owner, "later@example.com", "viewer").await;
    for _ in 0..2 {
        let call = format!("{FUNCTIONS}/{function}/invoke-async");
        app.post(&call, Some(&owner.token), serde_json::json!({})).await.data();
        worker::run_everything(app, &worker::completed("1")).await;
    }
    let stranger = app.register("stranger@example.com").await;
    let tenant = async |token: &str| {
        let me = app.get("/api/v1/auth/me", token).await.data();
        me["tenant_id"].as_str().unwrap().parse::<TenantId>().unwrap()
    };
    (tenant(&owner.token).await, tenant(&stranger.token).await)
}

/// How many rows of each table a tenant sees without any condition.
async fn seen(db: &Db, pool: &PgPool, tenant: TenantId) -> Vec<(String, i64)> {
    let mut seen = Vec::new();
    for table in tables(pool).await {
        if OF_THE_PLATFORM.contains(&table.as_str()) && table != "user_account" {
            continue;
        }
        let mut tx = db.begin_for(tenant).await.unwrap();
        let statement = AssertSqlSafe(format!("select count(*) from {table}"));
        let count = sqlx::query_scalar(statement).fetch_one(&mut *tx).await.unwrap();
        seen.push((table, count));
    }
    seen
}

fn of(seen: &[(String, i64)], table: &str) -> i64 {
    seen.iter().find(|(name, _)| name == table).unwrap().1
}

#[tokio::test]
async fn a_statement_without_a_condition_sees_its_own_tenant_only() {
    let app = App::start().await;
    let (rich, poor) = two_tenants(&app).await;
    let pool = app.database.pool().await;
    let (of_rich, of_poor) = (seen(&app.db, &pool, rich).await, seen(&app.db, &pool, poor).await);
    for (table, least) in [("function", 1), ("execution", 2), ("project", 1), ("invitation", 2)] {
        assert!(of(&of_rich, table) >= least, "{table}: {of_rich:?}");
    }
    let allowed = ["tenant", "tenant_member", "user_account", "session", "audit"];
    for (table, count) in &of_poor {
        assert!(*count == 0 || allowed.contains(&table.as_str()), "{table}: {count}");
    }
    for one in ["tenant", "tenant_member", "user_account"] {
        assert_eq!(of(&of_poor, one), 1, "{one}");
    }
    assert!(seen(&app.db, &pool, TenantId::new()).await.iter().all(|(_, count)| *count == 0));
}

#[tokio::test]
async fn a_tenant_cannot_write_into_another_or_touch_the_record() {
    let app = App::start().await;
    let (rich, poor) = two_tenants(&app).await;
    let run = async |statement: &'static str| {
        let mut tx = app.db.begin_for(poor).await.unwrap();
        sqlx::query(statement).bind(rich.0).execute(&mut *tx).await
    };
    let insert = "insert into project (id, tenant_id, name, created_by)
                  select gen_random_uuid(), $1, 'mine', (select id from user_account limit 1)";
    let refused = run(insert).await.unwrap_err().to_string();
    assert!(refused.contains("row-level security"), "{refused}");
    let renamed = run("update project set name = 'mine' where tenant_id = $1").await.unwrap();
    assert_eq!(renamed.rows_affected(), 0);
    let refused = run("delete from audit where tenant_id = $1").await.unwrap_err().to_string();
    assert!(refused.contains("permission denied"), "{refused}");
}

/// As most databases are: the user owns one and is nothing else on the server.
#[tokio::test]
async fn it_holds_for_an_ordinary_owner_with_the_role_and_without() {
    for may_take_the_role in [true, false] {
        let database = TestDatabase::empty().await;
        let admin = database.pool().await;
        let name = format!("owner_{}", uuid::Uuid::new_v4().simple());
        let statement = |text: String| sqlx::query(AssertSqlSafe(text));
        statement(format!("create role {name} login")).execute(&admin).await.unwrap();
        if may_take_the_role {
            // Another test's database may be making it at this moment.
            let make = "do $$ begin create role apprun_api nologin; exception
                        when duplicate_object or unique_violation then null; end $$";
            sqlx::query(make).execute(&admin).await.unwrap();
            statement(format!("grant apprun_api to {name}")).execute(&admin).await.unwrap();
        }
        let own: String =
            sqlx::query_scalar("select current_database()").fetch_one(&admin).await.unwrap();
        statement(format!("alter database {own} owner to {name}")).execute(&admin).await.unwrap();
        statement(format!("alter schema public owner to {name}")).execute(&admin).await.unwrap();

        let url = as_user(database.url(), &name);
        let db = Db::connect(&url, 4).await.unwrap();
        db.migrate().await.unwrap();
        db.migrate().await.unwrap();
        let app = App::over(url, database).await;
        let (rich, poor) = two_tenants(&app).await;
        let (of_rich, of_poor) = (seen(&db, &admin, rich).await, seen(&db, &admin, poor).await);
        assert_eq!((of(&of_rich, "function"), of(&of_poor, "function")), (1, 0));
        assert_eq!((of(&of_rich, "user_account"), of(&of_poor, "user_account")), (2, 1));
        drop(app);
        drop(db);
    }
}

fn as_user(url: &str, name: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let host = rest.split_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{name}@{host}")
}

#[tokio::test]
async fn the_platform_itself_sees_all() {
    let app = App::start().await;
    two_tenants(&app).await;
    let mut tx = app.db.begin().await.unwrap();
    let tenants: i64 =
        sqlx::query_scalar("select count(*) from tenant").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(tenants, 2);
}
