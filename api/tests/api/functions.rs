//! Functions: create, list, look at, with their builds.

use futures_util::future::join_all;
use serde_json::{Value, json};
use shared::domain::Plan;

use crate::harness::{App, FUNCTIONS, text, worker};

#[tokio::test]
async fn creating_a_function_answers_as_the_contract_says() {
    let app = App::start().await;
    let owner = app.owner().await;
    let created = app.post(FUNCTIONS, Some(&owner.token), owner.new_function("send-email")).await;
    assert_eq!(created.status, 201);
    let data = created.data();
    let id = text(&data["function_id"]);
    assert!(id.starts_with("func-"));
    let expected = json!({
        "function_id": id,
        "name": "send-email",
        "status": "pending",
        "version": "1",
        "invoke_url": format!("/api/v1/functions/{id}/invoke"),
        "created_at": data["created_at"],
    });
    assert_eq!(data, expected);
    assert!(text(&data["created_at"]).ends_with('Z'));
}

#[tokio::test]
async fn creating_a_function_queues_its_build_for_a_worker() {
    let app = App::start().await;
    let owner = app.owner().await;
    let path = format!("{FUNCTIONS}/{}", app.function(&owner, "hello").await);
    let pending = app.get(&path, &owner.token).await.data();
    assert_eq!(
        (&pending["status"], &pending["build"]["status"]),
        (&json!("pending"), &json!("pending"))
    );

    worker::build_everything(&app).await;
    let active = app.get(&path, &owner.token).await.data();
    assert_eq!(
        (&active["status"], &active["build"]["status"]),
        (&json!("active"), &json!("succeeded"))
    );
    assert_eq!((&active["version"], &active["build"]["version"]), (&json!("1"), &json!("1")));
}

#[tokio::test]
async fn what_was_not_asked_for_gets_the_defaults() {
    let app = App::start().await;
    let owner = app.owner().await;
    let least = json!({
        "project_id": owner.project_id, "name": "hello", "runtime": "rust", "code": "fn main() {}",
    });
    let id = text(&app.post(FUNCTIONS, Some(&owner.token), least).await.data()["function_id"]);
    let function = app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data();
    assert_eq!(
        [&function["timeout"], &function["memory"], &function["trigger"], &function["description"]],
        [&json!(30), &json!(128), &json!("http"), &json!("")],
    );
    assert_eq!(function["network"], "none");
}

#[tokio::test]
async fn a_failed_build_says_where_and_why() {
    let app = App::start().await;
    let owner = app.owner().await;
    let path = format!("{FUNCTIONS}/{}", app.function(&owner, "hello").await);
    worker::fail_everything(&app, "undefined: x").await;

    let function = app.get(&path, &owner.token).await.data();
    assert_eq!(function["status"], "failed");
    let build = &function["build"];
    assert_eq!(
        (&build["reason"], &build["message"]),
        (&json!("compile_error"), &json!("undefined: x"))
    );
    assert_eq!(build["code"], "FUNC_COMPILE_FAILED");
    assert_eq!(build["log_tail"], "what the compiler wrote");
    let place = &build["diagnostics"][0];
    assert_eq!((&place["file"], &place["line"]), (&json!("handler.go"), &json!(5)));

    let build = format!("{path}/builds/{}", text(&build["build_id"]));
    let build = app.get(&build, &owner.token).await.data();
    assert_eq!(
        (&build["status"], &build["log"], &build["code"]),
        (&json!("failed"), &json!("what the compiler wrote"), &json!("FUNC_COMPILE_FAILED"))
    );
}

#[tokio::test]
async fn a_project_has_one_function_of_a_name() {
    let app = App::start().await;
    let owner = app.owner().await;
    app.function(&owner, "hello").await;
    let again = app.post(FUNCTIONS, Some(&owner.token), owner.new_function("Hello")).await;
    again.assert_error(409, "CONFLICT");
}

#[tokio::test]
async fn many_creates_at_once_respect_the_plan_exactly() {
    let app = App::start().await;
    let owner = app.owner().await;
    let creates = (0..50).map(|n| {
        app.post(FUNCTIONS, Some(&owner.token), owner.new_function(&format!("hello-{n}")))
    });
    let replies = join_all(creates).await;
    let (created, refused): (Vec<_>, Vec<_>) =
        replies.iter().partition(|reply| reply.status == 201);
    assert_eq!(created.len(), 10, "the free plan has 10 functions");
    for reply in refused {
        let error = reply.assert_error(429, "FUNC_QUOTA_EXCEEDED");
        assert_eq!(
            (&error["details"]["limit"], &error["details"]["used"]),
            (&json!(10), &json!(10))
        );
    }
}

#[tokio::test]
async fn a_larger_plan_allows_more_time_and_memory() {
    let app = App::start_with(|config| config.default_plan = Plan::Paid).await;
    let owner = app.owner().await;
    let mut wanted = owner.new_function("hello");
    wanted["timeout"] = json!(300);
    wanted["memory"] = json!(512);
    assert_eq!(app.post(FUNCTIONS, Some(&owner.token), wanted).await.status, 201);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let app = App::start().await;
    let owner = app.owner().await;
    app.function(&owner, "one").await;
    app.function(&owner, "two").await;
    worker::build_everything(&app).await;
    app.function(&owner, "three").await;

    assert_eq!(list(&app, &owner.token, "").await, ["three", "two", "one"]);
    assert_eq!(list(&app, &owner.token, "status=active").await, ["two", "one"]);
    assert_eq!(list(&app, &owner.token, "status=failed").await, Vec::<String>::new());
    let project = app.project(&owner.token, "empty").await;
    let other = format!("project_id={project}");
    assert_eq!(list(&app, &owner.token, &other).await, Vec::<String>::new());

    let page = app.get(&format!("{FUNCTIONS}?limit=2"), &owner.token).await.data();
    assert_eq!(names(&page), ["three", "two"]);
    let rest = format!("limit=2&cursor={}", text(&page["next_cursor"]));
    assert_eq!(list(&app, &owner.token, &rest).await, ["one"]);
}

async fn list(app: &App, token: &str, query: &str) -> Vec<String> {
    names(&app.get(&format!("{FUNCTIONS}?{query}"), token).await.data())
}

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| text(&item["name"])).collect()
}

#[tokio::test]
async fn the_higher_of_the_roles_in_tenant_and_project_counts() {
    let app = App::start().await;
    let owner = app.owner().await;
    app.active_function(&owner, "hello").await;
    let pool = app.database.pool().await;
    sqlx::query("update tenant_member set role = 'viewer'").execute(&pool).await.unwrap();
    sqlx::query("delete from project_member").execute(&pool).await.unwrap();

    let as_viewer = app.post(FUNCTIONS, Some(&owner.token), owner.new_function("more")).await;
    as_viewer.assert_error(403, "FORBIDDEN");
    assert_eq!(list(&app, &owner.token, "").await, ["hello"], "a viewer may read");

    sqlx::query(
        "insert into project_member (project_id, tenant_id, user_id, role)
         select project.id, tenant_id, created_by, 'member' from project",
    )
    .execute(&pool)
    .await
    .unwrap();
    let as_member = app.post(FUNCTIONS, Some(&owner.token), owner.new_function("more")).await;
    assert_eq!(as_member.status, 201);
}

#[tokio::test]
async fn who_left_the_tenant_sees_nothing_of_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.function(&owner, "hello").await;
    let pool = app.database.pool().await;
    sqlx::query("delete from tenant_member").execute(&pool).await.unwrap();
    sqlx::query("delete from project_member").execute(&pool).await.unwrap();
    app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.assert_error(404, "FUNC_NOT_FOUND");
    assert_eq!(list(&app, &owner.token, "").await, Vec::<String>::new());
    app.get("/api/v1/auth/me", &owner.token).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_runtime_newer_than_what_is_installed_is_refused_with_what_is() {
    let app = App::start().await;
    let owner = app.owner().await;
    let create = async |name: &str, runtime: &str| {
        let mut wanted = owner.new_function(name);
        wanted["runtime"] = json!(runtime);
        app.post(FUNCTIONS, Some(&owner.token), wanted).await
    };
    let early = create("early", "go1.98").await;
    assert_eq!(early.status, 201, "nobody has Go yet, so it waits for whoever starts");
    worker::offer(&app, &["go1.27"]).await;

    let refused = create("ahead", "go1.99").await;
    let error = refused.assert_error(400, "VALIDATION_FAILED");
    assert_eq!(refused.wrong_fields(), ["runtime"]);
    assert!(text(&error["message"]).contains("installed: go1.27"), "{error}");
    let path = format!("{FUNCTIONS}/{}", text(&early.data()["function_id"]));
    let mut change = json!({ "runtime": "go1.99" });
    let put = hyper::Method::PUT;
    let refused = app.call(put.clone(), &path, Some(&owner.token), Some(&change)).await;
    assert_eq!(refused.wrong_fields(), ["runtime"]);

    change["runtime"] = json!("go1.27");
    assert_eq!(app.call(put, &path, Some(&owner.token), Some(&change)).await.status, 200);
    assert_eq!(create("waits", "rust").await.status, 201, "nobody has Rust");
}
