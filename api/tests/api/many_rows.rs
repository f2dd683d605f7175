//! Lists over very many rows: the plan of each is an index that gives the rows in their order.

use std::time::Instant;

use serde_json::Value;
use shared::domain::{ExecutionStatus, FunctionId, ProjectId, TenantId};
use sqlx::Row;

use crate::harness::{App, FUNCTIONS};

/// The statement behind every list of executions.
const LIST: &str = include_str!("../../../shared/src/store/execution_list.sql");

/// 100,000 executions of one function over a day, one in fifty failed.
async fn fill(app: &App, function: FunctionId) -> (TenantId, ProjectId) {
    let pool = app.database.pool().await;
    let insert = "insert into execution (id, tenant_id, project_id, function_id, version_id,
            version_number, mode, status, reason, input, run_ms, request_id, queued_at)
        select (left(uuid_at(at)::text, 18) || right(gen_random_uuid()::text, 18))::uuid,
               f.tenant_id, f.project_id, f.id, v.id, 1, 'async',
               case when n % 50 = 0 then 'failed' else 'completed' end,
               case when n % 50 = 0 then 'timeout' end, '{}', 1.5, gen_random_uuid(), at
        from generate_series(1, 100000) n,
             lateral (select now() - n * interval '0.8 seconds' as at) moment,
             function f join function_version v on v.function_id = f.id
        where f.id = $1";
    sqlx::query(insert).bind(function.0).execute(&pool).await.unwrap();
    sqlx::query("analyze execution").execute(&pool).await.unwrap();
    let row = sqlx::query("select tenant_id, project_id from function where id = $1")
        .bind(function.0)
        .fetch_one(&pool)
        .await
        .unwrap();
    (TenantId(row.get(0)), ProjectId(row.get(1)))
}

/// What a list is asked for.
#[derive(Default)]
struct Asked {
    project: Option<ProjectId>,
    function: Option<FunctionId>,
    status: Option<ExecutionStatus>,
    behind: Option<uuid::Uuid>,
}

/// How the database would carry out a list.
async fn plan(app: &App, tenant: TenantId, asked: &Asked) -> String {
    let mut tx = app.db.begin_for(tenant).await.unwrap();
    // As `plan_for_values` has it.
    sqlx::query("set local enable_bitmapscan = off").execute(&mut *tx).await.unwrap();
    let statement = sqlx::AssertSqlSafe(format!("explain (format json) {LIST}"));
    let ended_badly = asked.status == Some(ExecutionStatus::Failed);
    let row = sqlx::query(statement)
        .bind(tenant.0)
        .bind(asked.project.map(|id| id.0))
        .bind(asked.function.map(|id| id.0))
        .bind(asked.status.map(ExecutionStatus::as_str))
        .bind(None::<String>)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(false)
        .bind(ended_badly)
        .bind(None::<time::OffsetDateTime>)
        .bind(None::<time::OffsetDateTime>)
        .bind(asked.behind)
        .bind(51_i64)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    row.get::<Value, _>(0).to_string()
}

#[tokio::test]
async fn each_list_of_100_000_executions_reads_an_index_in_order() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let id: FunctionId = function.parse().unwrap();
    let (tenant, project) = fill(&app, id).await;
    let of_project = || Asked { project: Some(project), ..Asked::default() };
    let of_function = || Asked { function: Some(id), ..Asked::default() };
    let failed = Some(ExecutionStatus::Failed);
    let behind = Some(uuid::Uuid::now_v7());
    let lists = [
        ("of a project", of_project(), "project_id"),
        ("the next page", Asked { behind, ..of_project() }, "project_id"),
        ("failed, of a project", Asked { status: failed, ..of_project() }, "project_id"),
        ("of a function", of_function(), "function_id"),
        ("failed, of a function", Asked { status: failed, ..of_function() }, "function_id"),
    ];
    for (name, asked, by) in lists {
        let plan = plan(&app, tenant, &asked).await;
        assert!(plan.contains("Index Scan"), "{name}: {plan}");
        assert!(plan.contains(&format!("({by} = ")), "{name} is no range of its index: {plan}");
        for slow in ["Seq Scan", "\"Sort\"", "Bitmap"] {
            assert!(!plan.contains(slow), "{name} has a {slow}: {plan}");
        }
    }
    for path in [
        format!("/api/v1/executions?project_id={}", owner.project_id),
        format!("{FUNCTIONS}/{function}/executions?status=failed"),
        format!("{FUNCTIONS}/{function}/metrics"),
        format!("{FUNCTIONS}?include=stats"),
    ] {
        let asked_at = Instant::now();
        app.get(&path, &owner.token).await.data();
        println!("{:>8.1} ms  {path}", asked_at.elapsed().as_secs_f64() * 1000.0);
    }
}
