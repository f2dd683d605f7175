//! What an id stands for, what is used, what waits, what this server is.

use serde_json::json;

use crate::harness::{App, FUNCTIONS, text, worker};

#[tokio::test]
async fn an_id_leads_to_what_it_stands_for_and_a_request_to_its_executions() {
    let app = App::start().await;
    let owner = app.owner().await;
    let stranger = app.register("stranger@example.com").await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let reply = app.post(&path, Some(&owner.token), json!({})).await;
    let execution = text(&reply.data()["execution_id"]);
    let request = text(&reply.json()["request_id"]);
    for (asked, kind, found) in [
        (&owner.project_id, "project", &owner.project_id),
        (&id, "function", &id),
        (&execution, "execution", &execution),
        (&request, "execution", &execution),
    ] {
        let path = format!("/api/v1/lookup/{asked}");
        let data = app.get(&path, &owner.token).await.data();
        assert_eq!(
            (&data["found"][0]["kind"], &data["found"][0]["id"]),
            (&json!(kind), &json!(found))
        );
        let link = text(&data["found"][0]["link"]);
        assert_eq!(app.get(&link, &owner.token).await.status, 200, "{link}");
        app.get(&path, &stranger.token).await.assert_error(404, "NOT_FOUND");
    }
    app.get("/api/v1/lookup/x", &owner.token).await.assert_error(400, "VALIDATION_FAILED");
}

#[tokio::test]
async fn usage_queue_workers_and_server_are_shown() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    app.post(&path, Some(&owner.token), json!({})).await.data();
    worker::claim_all(&app).await;
    app.post(&path, Some(&owner.token), json!({})).await.data();
    let usage = app.get("/api/v1/usage", &owner.token).await.data();
    assert_eq!(usage["functions"], json!({ "used": 1, "limit": 10 }));
    assert_eq!(usage["concurrent_executions"], json!({ "used": 1, "limit": 10 }));
    assert!(usage["requests_per_minute"].is_null(), "nothing is limited here: {usage}");
    let queue = app.get("/api/v1/queue", &owner.token).await.data();
    let calls = &queue["classes"][1];
    assert_eq!(
        (&calls["class"], &calls["ready"], &calls["running"]),
        (&json!("async"), &json!(1), &json!(1))
    );
    let workers = app.get("/api/v1/workers", &owner.token).await.data();
    let busy = workers["workers"].as_array().unwrap().iter().find(|it| it["calls"] == 1).unwrap();
    assert_eq!((&busy["name"], &busy["alive"]), (&json!("test"), &json!(true)));
    assert_eq!(busy["toolchains"], json!(["go1.99", "rust"]));
    assert_eq!(busy["degraded"], json!([]));
    let info = app.get("/api/v1/info", &owner.token).await.data();
    assert_eq!((&info["version"], &info["max_timeout"]), (&json!("0.0.0"), &json!(300)));

    let stranger = app.register("stranger@example.com").await;
    let queue = app.get("/api/v1/queue", &stranger.token).await.data();
    assert!(queue["classes"].as_array().unwrap().iter().all(|class| class["ready"] == 0));
}

#[tokio::test]
async fn versions_and_builds_are_found_by_their_ids_and_by_nobody_else() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let details = app.get(&format!("{FUNCTIONS}/{function}"), &owner.token).await.data();
    let build = text(&details["build"]["build_id"]);
    let version: uuid::Uuid = sqlx::query_scalar("select id from function_version")
        .fetch_one(&app.database.pool().await)
        .await
        .unwrap();
    let stranger = app.register("stranger@example.com").await;
    for (kind, id) in [("build", build), ("version", format!("ver-{version}"))] {
        let path = format!("/api/v1/lookup/{id}");
        let found = app.get(&path, &owner.token).await.data()["found"][0].clone();
        assert_eq!((&found["kind"], &found["id"]), (&json!(kind), &json!(id)));
        app.get(&text(&found["link"]), &owner.token).await.data();
        app.get(&path, &stranger.token).await.assert_error(404, "NOT_FOUND");
    }
}
