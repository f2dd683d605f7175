//! Dead letters over the API.

use hyper::Method;
use serde_json::{Value, json};
use shared::domain::Reason;

use crate::harness::{App, FUNCTIONS, Owner, text, worker};

async fn fail(app: &App, owner: &Owner, id: &str, reason: Reason) -> String {
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let queued = app.post(&path, Some(&owner.token), json!({ "input": 1 })).await.data();
    worker::run_everything(app, &worker::failed(reason, "it broke")).await;
    text(&queued["execution_id"])
}

async fn listed(app: &App, owner: &Owner, query: &str) -> Vec<String> {
    let path = format!("/api/v1/projects/{}/dead-letters{query}", owner.project_id);
    let page = app.get(&path, &owner.token).await.data();
    page["items"].as_array().unwrap().iter().map(|it| text(&it["execution_id"])).collect()
}

async fn bulk(app: &App, owner: &Owner, what: &str, body: Value) -> Value {
    let path = format!("/api/v1/projects/{}/dead-letters/{what}", owner.project_id);
    app.post(&path, Some(&owner.token), body).await.data()
}

#[tokio::test]
async fn dead_letters_are_listed_and_run_again_once() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let oom = fail(&app, &owner, &id, Reason::Oom).await;
    let timeout = fail(&app, &owner, &id, Reason::Timeout).await;
    assert_eq!(listed(&app, &owner, "").await, [timeout.clone(), oom.clone()]);
    assert_eq!(listed(&app, &owner, "?reason=oom").await, std::slice::from_ref(&oom));

    let dry = bulk(&app, &owner, "redrive", json!({ "reason": "oom", "dry_run": true })).await;
    let expected = json!({ "dry_run": true, "matched": 1, "dead_letters": [oom], "skipped": [], "executions": [] });
    assert_eq!(dry, expected);
    assert_eq!(listed(&app, &owner, "").await.len(), 2, "nothing was changed");

    let driven = bulk(&app, &owner, "redrive", json!({ "execution_ids": [oom] })).await;
    assert_eq!(driven["dead_letters"], json!([oom]));
    let again = text(&driven["executions"][0]);
    worker::run_everything(&app, &worker::completed("1")).await;
    let execution = app.get(&format!("{FUNCTIONS}/executions/{again}"), &owner.token).await.data();
    assert_eq!((&execution["status"], &execution["replay_of"]), (&json!("completed"), &json!(oom)));
    let twice = bulk(&app, &owner, "redrive", json!({ "execution_ids": [oom] })).await;
    assert_eq!(twice["matched"], 0);
    assert_eq!(listed(&app, &owner, "").await, [timeout]);
}

#[tokio::test]
async fn dead_letters_that_can_no_longer_be_run_are_skipped_and_stay() {
    let app = App::start().await;
    let owner = app.owner().await;
    let mut dead = Vec::new();
    for name in ["kept", "given-up", "deleted"] {
        let id = app.active_function(&owner, name).await;
        dead.push((fail(&app, &owner, &id, Reason::Oom).await, id));
    }
    let [(fine, _), (given_up, version_of), (orphan, deleted)] = dead.try_into().unwrap();
    let pool = app.database.pool().await;
    let give_up = "update function_version set artifact_key = null, removed_at = now()
                   where 'func-' || function_id = $1";
    sqlx::query(give_up).bind(version_of).execute(&pool).await.unwrap();
    let path = format!("{FUNCTIONS}/{deleted}");
    app.call(Method::DELETE, &path, Some(&owner.token), None).await.data();

    let gone = json!([given_up, orphan]);
    for dry_run in [true, false] {
        let driven = bulk(&app, &owner, "redrive", json!({ "dry_run": dry_run })).await;
        assert_eq!((&driven["matched"], &driven["skipped"]), (&json!(3), &gone));
        assert_eq!(driven["dead_letters"], json!([fine]));
    }
    assert_eq!(listed(&app, &owner, "").await, [orphan, given_up]);
    worker::run_everything(&app, &worker::completed("1")).await;
    let waiting = "select count(*) from execution where status = 'pending'";
    let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap();
    assert_eq!(waiting, 0, "nothing was accepted that nobody can run");
}

#[tokio::test]
async fn purged_dead_letters_leave_the_list_and_stay_in_the_history() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let dead = fail(&app, &owner, &id, Reason::Oom).await;
    let dry = bulk(&app, &owner, "purge", json!({ "function_id": id, "dry_run": true })).await;
    assert_eq!((&dry["matched"], listed(&app, &owner, "").await.len()), (&json!(1), 1));
    assert_eq!(bulk(&app, &owner, "purge", json!({})).await["dead_letters"], json!([dead]));
    assert!(listed(&app, &owner, "").await.is_empty());
    let execution = app.get(&format!("{FUNCTIONS}/executions/{dead}"), &owner.token).await.data();
    assert_eq!(execution["status"], "failed");
}

#[tokio::test]
async fn which_dead_letters_is_checked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let path = format!("/api/v1/projects/{}/dead-letters/purge", owner.project_id);
    let cases = [
        (json!({ "execution_ids": 1 }), "execution_ids"),
        (json!({ "execution_ids": ["x"] }), "execution_ids"),
        (json!({ "execution_ids": vec!["x"; 101] }), "execution_ids"),
        (json!({ "function_id": "x" }), "function_id"),
        (json!({ "reason": "bad" }), "reason"),
        (json!({ "dry_run": "yes" }), "dry_run"),
    ];
    for (body, field) in cases {
        let reply = app.post(&path, Some(&owner.token), body).await;
        assert_eq!(reply.wrong_fields(), [field], "{reply:?}");
    }
}
