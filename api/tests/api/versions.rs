//! Versions: listed, read, gone back to, and given up when they are old.

use serde_json::{Value, json};
use shared::store::retire;

use crate::harness::{App, FUNCTIONS, Owner, Reply, text, worker};

async fn change(app: &App, owner: &Owner, id: &str, body: Value) -> Value {
    let path = format!("{FUNCTIONS}/{id}");
    app.call(hyper::Method::PUT, &path, Some(&owner.token), Some(&body)).await.data()
}

async fn roll_back(app: &App, owner: &Owner, id: &str, version: &str) -> Reply {
    let path = format!("{FUNCTIONS}/{id}/rollback");
    app.post(&path, Some(&owner.token), json!({ "version": version })).await
}

async fn serving(app: &App, owner: &Owner, id: &str) -> String {
    text(&app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data()["version"])
}

async fn versions(app: &App, owner: &Owner, id: &str, query: &str) -> (Vec<String>, Value) {
    let path = format!("{FUNCTIONS}/{id}/versions?{query}");
    let page = app.get(&path, &owner.token).await.data();
    let items = page["items"].as_array().unwrap();
    (items.iter().map(|item| text(&item["version"])).collect(), page)
}

#[tokio::test]
async fn versions_are_listed_newest_first_with_what_they_are_made_of() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for timeout in [5, 6] {
        change(&app, &owner, &id, json!({ "timeout": timeout, "env": { "A": "b" } })).await;
    }
    let (numbers, page) = versions(&app, &owner, &id, "").await;
    assert_eq!(numbers, ["3", "2", "1"]);
    let serves: Vec<_> = page["items"].as_array().unwrap().iter().map(|it| &it["serves"]).collect();
    assert_eq!(serves, [&json!(true), &json!(false), &json!(false)]);
    let newest = &page["items"][0];
    assert_eq!([&newest["timeout"], &newest["env_names"]], [&json!(6), &json!(["A"])]);
    assert!(newest.get("env").is_none(), "values are no part of a list");

    let (first, page) = versions(&app, &owner, &id, "limit=2").await;
    let rest = format!("limit=2&cursor={}", text(&page["next_cursor"]));
    change(&app, &owner, &id, json!({ "timeout": 7 })).await;
    let (second, _) = versions(&app, &owner, &id, &rest).await;
    assert_eq!((first, second), (vec!["3".into(), "2".into()], vec!["1".into()]));
}

#[tokio::test]
async fn a_version_keeps_its_source() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    change(&app, &owner, &id, json!({ "code": "package main // two\n" })).await;
    change(&app, &owner, &id, json!({ "timeout": 5 })).await;
    for (version, content) in
        [("1", "package main\n"), ("2", "package main // two\n"), ("3", "package main // two\n")]
    {
        let path = format!("{FUNCTIONS}/{id}/versions/{version}/source");
        let source = app.get(&path, &owner.token).await.data();
        let files = json!([{ "path": "handler.go", "encoding": "utf-8", "content": content }]);
        assert_eq!(source, json!({ "version": version, "files": files }));
    }
    let missing = app.get(&format!("{FUNCTIONS}/{id}/versions/4/source"), &owner.token).await;
    missing.assert_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn going_back_needs_no_build() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    change(&app, &owner, &id, json!({ "code": "package main // two\n", "timeout": 5 })).await;
    worker::build_everything(&app).await;
    let back = roll_back(&app, &owner, &id, "1").await.data();
    assert_eq!([&back["version"], &back["serving_version"]], ["1", "1"]);
    assert_eq!(back["build"]["version"], "1");
    assert_eq!(worker::claim_builds(&app).await.len(), 0);
    let details = app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data();
    assert_eq!([&details["timeout"], &details["newer_build"]], [&json!(30), &Value::Null]);

    let forward = roll_back(&app, &owner, &id, "2").await.data();
    assert_eq!(forward["serving_version"], "2");
    let next = change(&app, &owner, &id, json!({ "timeout": 6 })).await;
    assert_eq!(next["version"], "3", "numbers are never given twice");
}

#[tokio::test]
async fn a_change_after_going_back_starts_from_there() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    change(&app, &owner, &id, json!({ "memory": 64 })).await;
    roll_back(&app, &owner, &id, "1").await.data();
    change(&app, &owner, &id, json!({ "timeout": 5 })).await;
    let details = app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data();
    assert_eq!([&details["timeout"], &details["memory"]], [5, 128]);
}

#[tokio::test]
async fn a_build_that_was_on_its_way_does_not_undo_going_back() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    change(&app, &owner, &id, json!({ "timeout": 5 })).await;
    change(&app, &owner, &id, json!({ "code": "package main // three\n" })).await;
    roll_back(&app, &owner, &id, "1").await.data();
    worker::build_everything(&app).await;
    assert_eq!(serving(&app, &owner, &id).await, "1");
    assert_eq!(roll_back(&app, &owner, &id, "3").await.data()["serving_version"], "3");
}

#[tokio::test]
async fn only_what_was_built_can_be_gone_back_to() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    change(&app, &owner, &id, json!({ "code": "package main // two\n" })).await;
    let pending = roll_back(&app, &owner, &id, "2").await.assert_error(409, "FUNC_NOT_READY");
    assert!(text(&pending["message"]).contains("still being built"), "{pending}");
    worker::fail_everything(&app, "undefined: x").await;
    let failed = roll_back(&app, &owner, &id, "2").await.assert_error(409, "FUNC_NOT_READY");
    assert!(text(&failed["message"]).contains("did not compile"), "{failed}");
    roll_back(&app, &owner, &id, "9").await.assert_error(404, "NOT_FOUND");
    for bad in [json!({ "version": "0" }), json!({ "version": 1 }), json!({})] {
        let reply = app.post(&format!("{FUNCTIONS}/{id}/rollback"), Some(&owner.token), bad).await;
        assert_eq!(reply.wrong_fields(), ["version"]);
    }
    assert_eq!(serving(&app, &owner, &id).await, "1");
}

#[tokio::test]
async fn a_caller_may_name_the_version_and_is_told_which_one_ran() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    change(&app, &owner, &id, json!({ "timeout": 5 })).await;
    let call = async |version: &str| {
        let path = format!("{FUNCTIONS}/{id}/invoke-async?version={version}&timeout=20s");
        app.post(&path, Some(&owner.token), json!({ "input": 1 })).await
    };
    let old = call("1").await.data();
    assert_eq!(old["version"], "1");
    worker::run_everything(&app, &worker::completed("1")).await;
    let path = format!("{FUNCTIONS}/executions/{}", text(&old["execution_id"]));
    assert_eq!(app.get(&path, &owner.token).await.data()["version"], "1");

    assert_eq!(call("2").await.wrong_fields(), ["timeout"], "the limit is that of the version");
    assert_eq!(call("x").await.wrong_fields(), ["version"]);
    call("9").await.assert_error(404, "NOT_FOUND");
    change(&app, &owner, &id, json!({ "code": "package main // three\n" })).await;
    call("3").await.assert_error(409, "FUNC_NOT_READY");
}

#[tokio::test]
async fn old_versions_are_given_up_and_those_in_use_are_not() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let call = format!("{FUNCTIONS}/{id}/invoke-async");
    let waiting = app.post(&call, Some(&owner.token), json!({ "input": 1 })).await.data();
    for timeout in 2..=6 {
        let secrets = json!({ "timeout": timeout, "secrets": { "S": "hunter2" } });
        change(&app, &owner, &id, secrets).await;
    }
    roll_back(&app, &owner, &id, "2").await.data();
    assert_eq!(retire::clean(&app.db, 2).await.unwrap().versions, 0, "not in the first minute");
    age(&app).await;
    assert_eq!(retire::clean(&app.db, 2).await.unwrap().versions, 2);
    let (left, _) = versions(&app, &owner, &id, "").await;
    assert_eq!(left, ["6", "5", "2", "1"], "2 serves, and a call of 1 waits");
    roll_back(&app, &owner, &id, "3").await.assert_error(404, "NOT_FOUND");

    worker::run_everything(&app, &worker::completed("1")).await;
    let path = format!("{FUNCTIONS}/executions/{}", text(&waiting["execution_id"]));
    assert_eq!(app.get(&path, &owner.token).await.data()["status"], "completed");
    age(&app).await;
    assert_eq!(retire::clean(&app.db, 2).await.unwrap().versions, 1);
    let source = format!("{FUNCTIONS}/{id}/versions/2/source");
    assert_eq!(app.get(&source, &owner.token).await.status, 200, "the source that 2 shares stays");
    let pool = app.database.pool().await;
    let secrets: i64 =
        sqlx::query_scalar("select count(*) from function_secret").fetch_one(&pool).await.unwrap();
    assert_eq!(secrets, 3, "one of each version that is left and has one");
}

/// As if the last change were a while ago.
async fn age(app: &App) {
    let pool = app.database.pool().await;
    sqlx::query("update function set updated_at = now() - interval '2 minutes'")
        .execute(&pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn where_the_operator_allows_it_a_function_gets_egress_and_loses_it_again() {
    let app = App::start_with(|config| config.functions.egress = Some(true)).await;
    let owner = app.owner().await;
    let mut wanted = owner.new_function("hello");
    wanted["network"] = json!("egress");
    let id = text(&app.post(FUNCTIONS, Some(&owner.token), wanted).await.data()["function_id"]);
    let path = format!("{FUNCTIONS}/{id}");

    assert_eq!(app.get(&path, &owner.token).await.data()["network"], "egress");
    change(&app, &owner, &id, json!({ "network": "none" })).await;

    let (_, page) = versions(&app, &owner, &id, "").await;
    let networks = [&page["items"][0]["network"], &page["items"][1]["network"]];
    assert_eq!(networks, ["none", "egress"]);
}
