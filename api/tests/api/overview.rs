//! What an id stands for, what is used, what waits, what this server is.

use serde_json::json;
use shared::domain::{Plan, PlanLimits};

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
async fn a_request_leads_to_its_build_and_its_row_in_the_audit_record() {
    let app = App::start().await;
    let owner = app.owner().await;
    let member = app.guest(&owner, "viewer").await;
    let created = app.post(FUNCTIONS, Some(&owner.token), owner.new_function("hello")).await;
    let path = format!("/api/v1/lookup/{}", text(&created.json()["request_id"]));
    let kinds = async |token: &str| {
        let found = app.get(&path, token).await.data()["found"].as_array().unwrap().clone();
        for link in found.iter().map(|it| text(&it["link"])) {
            assert_eq!(app.get(&link, token).await.status, 200, "{link}");
        }
        found.iter().map(|it| text(&it["kind"])).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&owner.token).await, ["build", "audit"]);
    assert_eq!(kinds(&member.token).await, ["build"], "the record is for admins");
}

#[tokio::test]
async fn people_tenants_tokens_and_invitations_are_found_by_whoever_may_see_them() {
    let app = App::start().await;
    let owner = app.owner().await;
    let viewer = app.guest(&owner, "viewer").await;
    let stranger = app.register("stranger@example.com").await;
    let me = app.get("/api/v1/auth/me", &owner.token).await.data();
    let other = app.get("/api/v1/auth/me", &viewer.token).await.data();
    let project = format!("/api/v1/projects/{}", owner.project_id);
    let wanted = json!({ "name": "ci", "role": "viewer" });
    let token = app.post(&format!("{project}/tokens"), Some(&owner.token), wanted).await.data();
    let wanted = json!({ "email": "new@example.com", "role": "viewer" });
    let invitations = format!("{project}/invitations");
    let invitation = app.post(&invitations, Some(&owner.token), wanted).await.data();
    for (id, kind, viewer_finds_it) in [
        (&me["user_id"], "user", false),
        (&other["user_id"], "user", true),
        (&me["tenant_id"], "tenant", true),
        (&token["token_id"], "project_token", false),
        (&invitation["invitation_id"], "invitation", false),
    ] {
        let path = format!("/api/v1/lookup/{}", text(id));
        let found = app.get(&path, &owner.token).await.data()["found"][0].clone();
        assert_eq!((&found["kind"], &found["id"]), (&json!(kind), id));
        let link = text(&found["link"]);
        assert_eq!(app.get(&link, &owner.token).await.status, 200, "{link}");
        let expected = if viewer_finds_it { 200 } else { 404 };
        assert_eq!(app.get(&path, &viewer.token).await.status, expected, "{kind}");
        app.get(&path, &stranger.token).await.assert_error(404, "NOT_FOUND");
    }
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

#[tokio::test]
async fn what_a_plan_allows_is_the_operators_word() {
    let app = App::start_with(|config| {
        let free = Plan::Free.limits();
        config.functions.plans.free =
            PlanLimits { timeout_seconds: 10, functions: Some(1), ..free };
        config.functions.plans.enterprise.functions = None;
    })
    .await;
    let owner = app.owner().await;
    let plans = app.get("/api/v1/info", &owner.token).await.data()["plans"].clone();
    assert_eq!((&plans[0]["timeout"], &plans[0]["functions"]), (&json!(10), &json!(1)));
    assert_eq!((&plans[2]["plan"], &plans[2]["functions"]), (&json!("enterprise"), &json!(null)));

    let create = async |name: &str, timeout: u32| {
        let mut wanted = owner.new_function(name);
        wanted["timeout"] = json!(timeout);
        app.post(FUNCTIONS, Some(&owner.token), wanted).await
    };
    create("slow", 11).await.assert_error(400, "VALIDATION_FAILED");
    assert_eq!(create("first", 10).await.status, 201);
    create("second", 10).await.assert_error(429, "FUNC_QUOTA_EXCEEDED");
    let usage = app.get("/api/v1/usage", &owner.token).await.data();
    assert_eq!(usage["functions"], json!({ "used": 1, "limit": 1 }));
    assert_eq!(usage["timeout"], 10);
}

#[tokio::test]
async fn only_admins_of_the_tenant_see_queue_and_workers() {
    let app = App::start().await;
    let owner = app.owner().await;
    let guest = app.guest(&owner, "owner").await;
    let pool = app.database.pool().await;
    for path in ["/api/v1/queue", "/api/v1/workers"] {
        app.get(path, &guest.token).await.assert_error(403, "FORBIDDEN");
        for (role, status) in [("viewer", 403), ("member", 403), ("admin", 200), ("owner", 200)] {
            let change = "update tenant_member set role = $1";
            sqlx::query(change).bind(role).execute(&pool).await.unwrap();
            assert_eq!(app.get(path, &owner.token).await.status, status, "{path} as {role}");
        }
    }
}
