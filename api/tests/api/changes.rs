//! Changing a function: what serves when, and who may.

use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{App, FUNCTIONS, Owner, Reply, text, worker};

async fn put(app: &App, token: &str, id: &str, body: Value) -> Reply {
    app.call(Method::PUT, &format!("{FUNCTIONS}/{id}"), Some(token), Some(&body)).await
}

async fn details(app: &App, owner: &Owner, id: &str) -> Value {
    app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data()
}

/// Which version serves.
async fn serving(app: &App, owner: &Owner, id: &str) -> String {
    text(&details(app, owner, id).await["version"])
}

fn code(marker: &str) -> Value {
    json!({ "code": format!("package main // {marker}\n") })
}

#[tokio::test]
async fn a_new_source_serves_when_it_is_built_and_not_before() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let changed = put(&app, &owner.token, &id, code("two")).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    let changed = changed.data();
    assert_eq!(
        [&changed["version"], &changed["serving_version"], &changed["status"]],
        ["2", "1", "active"]
    );
    assert_eq!([&changed["build"]["version"], &changed["build"]["status"]], ["2", "pending"]);
    let meanwhile = details(&app, &owner, &id).await;
    assert_eq!([&meanwhile["version"], &meanwhile["latest_version"]], ["1", "2"]);
    assert_eq!(
        [&meanwhile["build"]["status"], &meanwhile["newer_build"]["status"]],
        ["succeeded", "pending"]
    );

    worker::build_everything(&app).await;
    let after = details(&app, &owner, &id).await;
    assert_eq!([&after["version"], &after["build"]["version"]], ["2", "2"]);
    assert_eq!(after["newer_build"], Value::Null);
}

#[tokio::test]
async fn a_build_that_fails_leaves_the_old_version_serving_and_says_so() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    put(&app, &owner.token, &id, code("broken")).await.data();
    worker::fail_everything(&app, "undefined: x").await;
    let function = details(&app, &owner, &id).await;
    assert_eq!([&function["status"], &function["version"]], ["active", "1"]);
    let newer = &function["newer_build"];
    assert_eq!([&newer["version"], &newer["status"]], ["2", "failed"]);
    assert_eq!(newer["diagnostics"][0]["message"], "undefined: x");

    // The next change starts from what serves.
    let settings = put(&app, &owner.token, &id, json!({ "timeout": 7 })).await.data();
    assert_eq!([&settings["version"], &settings["serving_version"]], ["3", "3"]);
}

#[tokio::test]
async fn settings_alone_make_a_version_without_a_build() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let before = details(&app, &owner, &id).await;
    let change = json!({
        "timeout": 5, "memory": 64, "max_concurrency": 3, "env": { "A": "b" },
        "trigger": "event", "events": ["user.registered"],
        "retry": { "max_retries": 4, "initial_delay": 0.25 },
    });
    let changed = put(&app, &owner.token, &id, change).await.data();
    assert_eq!([&changed["version"], &changed["serving_version"]], ["2", "2"]);
    assert_eq!(changed["build"]["build_id"], before["build"]["build_id"]);
    assert_eq!(worker::claim_builds(&app).await.len(), 0, "nothing is built");

    let after = details(&app, &owner, &id).await;
    assert_eq!([&after["timeout"], &after["memory"], &after["max_concurrency"]], [5, 64, 3]);
    assert_eq!([&after["trigger"], &after["events"][0]], ["event", "user.registered"]);
    assert_eq!(after["env"], json!({ "A": "b" }));
    let retry = json!({
        "max_retries": 4, "initial_delay": 0.25, "max_delay": 60.0, "backoff_factor": 2.0,
    });
    assert_eq!(after["retry"], retry);
    let runtime = put(&app, &owner.token, &id, json!({ "runtime": "go1.22" })).await.data();
    assert_eq!([&runtime["serving_version"], &runtime["build"]["status"]], ["2", "pending"]);
    worker::build_everything(&app).await;
    let kept = details(&app, &owner, &id).await;
    assert_eq!([&kept["timeout"], &kept["max_concurrency"]], [5, 3], "the rest is kept");
    put(&app, &owner.token, &id, json!({ "max_concurrency": null })).await.data();
    let cleared = details(&app, &owner, &id).await;
    assert_eq!((&cleared["timeout"], &cleared["max_concurrency"]), (&json!(5), &json!(null)));
}

#[tokio::test]
async fn settings_that_change_during_a_build_join_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    put(&app, &owner.token, &id, code("two")).await.data();
    let settings = put(&app, &owner.token, &id, json!({ "timeout": 5 })).await.data();
    assert_eq!([&settings["version"], &settings["serving_version"]], ["3", "1"]);
    assert_eq!(settings["build"]["version"], "2");
    worker::build_everything(&app).await;
    let after = details(&app, &owner, &id).await;
    assert_eq!([&after["version"], &after["build"]["version"]], ["3", "2"]);
    assert_eq!(after["timeout"], 5);
}

#[tokio::test]
async fn of_two_changes_the_later_wins_however_long_the_builds_take() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for marker in ["two", "three"] {
        put(&app, &owner.token, &id, code(marker)).await.data();
    }
    let builds = worker::claim_builds(&app).await;
    worker::finish_well(&app, &builds[1]).await;
    assert_eq!(serving(&app, &owner, &id).await, "3");
    worker::finish_well(&app, &builds[0]).await;
    assert_eq!(serving(&app, &owner, &id).await, "3", "an older build takes nothing over");
}

#[tokio::test]
async fn changes_at_once_get_numbers_of_their_own() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let changes =
        (1..=20).map(|seconds| put(&app, &owner.token, &id, json!({ "timeout": seconds })));
    let mut numbers: Vec<u32> = join_all(changes)
        .await
        .iter()
        .map(|reply| text(&reply.data()["version"]).parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=21).collect::<Vec<_>>());
    assert_eq!(serving(&app, &owner, &id).await, "21");
}

#[tokio::test]
async fn a_change_fails_no_call() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let call = format!("{FUNCTIONS}/{id}/invoke-async");
    let calls = async {
        for _ in 0..20 {
            let some = (0..5).map(|n| app.post(&call, Some(&owner.token), json!({ "input": n })));
            for reply in join_all(some).await {
                assert_eq!(reply.status, 202, "{reply:?}");
            }
        }
    };
    let changes = async {
        for round in 0..10 {
            put(&app, &owner.token, &id, code(&round.to_string())).await.data();
            let builds = worker::claim_builds(&app).await;
            for job in builds.iter().filter(|job| job.kind == shared::queue::JobKind::Compile) {
                worker::finish_well(&app, job).await;
            }
            for job in builds.iter().filter(|job| job.kind == shared::queue::JobKind::Execute) {
                worker::run(&app, job, &worker::completed("1")).await;
            }
        }
    };
    tokio::join!(calls, changes);
    worker::run_everything(&app, &worker::completed("1")).await;
    let page = format!("{FUNCTIONS}/{id}/executions?limit=200");
    let page = app.get(&page, &owner.token).await.data();
    let statuses: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, ["completed"; 100]);
}

#[tokio::test]
async fn a_function_that_never_served_can_be_mended() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.function(&owner, "hello").await;
    worker::fail_everything(&app, "undefined: x").await;
    let again = put(&app, &owner.token, &id, json!({ "timeout": 5 })).await.data();
    assert_eq!([&again["status"], &again["build"]["status"]], ["pending", "pending"]);
    worker::build_everything(&app).await;
    assert_eq!(serving(&app, &owner, &id).await, "2", "the same source was built again");
}

#[tokio::test]
async fn name_and_description_belong_to_all_versions() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    app.function(&owner, "other").await;
    let change = json!({ "name": "hallo", "description": "" });
    assert_eq!(put(&app, &owner.token, &id, change).await.data()["name"], "hallo");
    assert_eq!(details(&app, &owner, &id).await["description"], "");
    put(&app, &owner.token, &id, json!({ "name": "OTHER" })).await.assert_error(409, "CONFLICT");
    assert_eq!(serving(&app, &owner, &id).await, "2", "a refused change leaves nothing");
}

#[tokio::test]
async fn a_member_changes_only_what_they_created() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let change = json!({ "timeout": 5 });
    let member = app.guest(&owner, "member").await;
    let refused = put(&app, &member.token, &id, change.clone()).await;
    refused.assert_error(403, "FORBIDDEN");
    let viewer = app.guest(&owner, "viewer").await;
    put(&app, &viewer.token, &id, change.clone()).await.assert_error(403, "FORBIDDEN");
    let admin = app.guest(&owner, "admin").await;
    assert_eq!(put(&app, &admin.token, &id, change.clone()).await.status, 200);

    let own = app.post(FUNCTIONS, Some(&member.token), owner.new_function("own")).await.data();
    let own = text(&own["function_id"]);
    assert_eq!(put(&app, &member.token, &own, change).await.status, 200);
}

#[tokio::test]
async fn a_bad_change_is_refused() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let empty = put(&app, &owner.token, &id, json!({})).await;
    let empty = empty.assert_error(400, "VALIDATION_FAILED");
    assert!(text(&empty["message"]).contains("changes nothing"), "{empty}");
    let elsewhere = app.project(&owner.token, "elsewhere").await;
    let cases = [
        (json!({ "timeout": 31 }), "timeout"),
        (json!({ "code": " " }), "code"),
        (json!({ "code": "x", "code_base64": "eA==" }), "code_base64"),
        (json!({ "runtime": "rust" }), "code"),
        (json!({ "trigger": "event" }), "events"),
        (json!({ "project_id": elsewhere, "timeout": 5 }), "project_id"),
        (json!({ "sandbox": false }), "sandbox"),
    ];
    for (change, field) in cases {
        let reply = put(&app, &owner.token, &id, change.clone()).await;
        assert_eq!(reply.wrong_fields(), [field], "{change}");
    }
    assert_eq!(details(&app, &owner, &id).await["latest_version"], "1");
}
