//! What belongs to another tenant does not exist.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{App, FUNCTIONS, text, worker};

/// Makes somebody a member of all tenants, whose token stays for their own.
async fn join_every_tenant(app: &App, email: &str) {
    let join = "insert into tenant_member (tenant_id, user_id, role)
                select p.tenant_id, u.id, 'owner' from project p, user_account u where u.email = $1";
    sqlx::query(join).bind(email).execute(&app.database.pool().await).await.unwrap();
}

#[tokio::test]
async fn what_belongs_to_another_tenant_is_not_there() {
    let app = App::start().await;
    let owner = app.owner().await;
    let stranger = app.register("stranger@example.com").await;
    let function = app.active_function(&owner, "hello").await;
    join_every_tenant(&app, "stranger@example.com").await;
    let call = format!("{FUNCTIONS}/{function}/invoke-async");
    let call = app.post(&call, Some(&owner.token), json!({ "input": 1 })).await;
    let execution = text(&call.data()["execution_id"]);
    worker::run_everything(&app, &worker::completed("1")).await;
    let details = app.get(&format!("{FUNCTIONS}/{function}"), &owner.token).await.data();
    let build = text(&details["build"]["build_id"]);
    let project = &owner.project_id;

    let input = Some(json!({ "input": 1 }));
    let batch = Some(json!({ "inputs": [1] }));
    let cases: [(Method, String, Option<Value>, &str); 21] = [
        (Method::GET, format!("/api/v1/projects/{project}"), None, "NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}?project_id={project}"), None, "NOT_FOUND"),
        (Method::POST, FUNCTIONS.to_owned(), Some(owner.new_function("mine")), "NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}/{function}"), None, "FUNC_NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}/{function}/builds/{build}"), None, "FUNC_NOT_FOUND"),
        (Method::POST, format!("{FUNCTIONS}/{function}/invoke"), input.clone(), "FUNC_NOT_FOUND"),
        (Method::POST, format!("{FUNCTIONS}/{function}/invoke-async"), input, "FUNC_NOT_FOUND"),
        (
            Method::PUT,
            format!("{FUNCTIONS}/{function}"),
            Some(json!({ "timeout": 1 })),
            "FUNC_NOT_FOUND",
        ),
        (Method::DELETE, format!("{FUNCTIONS}/{function}"), None, "FUNC_NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}/{function}/versions"), None, "FUNC_NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}/{function}/versions/1/source"), None, "FUNC_NOT_FOUND"),
        (
            Method::POST,
            format!("{FUNCTIONS}/{function}/rollback"),
            Some(json!({ "version": "1" })),
            "FUNC_NOT_FOUND",
        ),
        (Method::GET, format!("{FUNCTIONS}/{function}/executions"), None, "FUNC_NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}/{function}/logs"), None, "FUNC_NOT_FOUND"),
        (Method::GET, format!("{FUNCTIONS}/executions/{execution}"), None, "NOT_FOUND"),
        (Method::POST, format!("{FUNCTIONS}/executions/{execution}/cancel"), None, "NOT_FOUND"),
        (Method::POST, format!("{FUNCTIONS}/executions/{execution}/replay"), None, "NOT_FOUND"),
        (Method::POST, format!("{FUNCTIONS}/{function}/invoke-batch"), batch, "FUNC_NOT_FOUND"),
        (Method::GET, format!("/api/v1/executions?project_id={project}"), None, "NOT_FOUND"),
        (Method::GET, format!("/api/v1/executions/counts?project_id={project}"), None, "NOT_FOUND"),
        (
            Method::GET,
            format!("{FUNCTIONS}/{function}/executions?status=failed"),
            None,
            "FUNC_NOT_FOUND",
        ),
    ];
    for (method, path, body, code) in cases {
        let as_stranger =
            app.call(method.clone(), &path, Some(&stranger.token), body.as_ref()).await;
        assert_eq!(as_stranger.status, 404, "{method} {path}: {as_stranger:?}");
        as_stranger.assert_error(404, code);
    }
    for list in [FUNCTIONS, "/api/v1/projects"] {
        assert_eq!(app.get(list, &stranger.token).await.data()["items"], json!([]), "{list}");
    }
}

#[tokio::test]
async fn a_build_is_found_under_its_own_function_only() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (one, two) = (app.function(&owner, "one").await, app.function(&owner, "two").await);
    let details = app.get(&format!("{FUNCTIONS}/{one}"), &owner.token).await.data();
    let build = text(&details["build"]["build_id"]);
    let wrong = app.get(&format!("{FUNCTIONS}/{two}/builds/{build}"), &owner.token).await;
    wrong.assert_error(404, "NOT_FOUND");
}
