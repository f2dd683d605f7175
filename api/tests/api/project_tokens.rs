//! Project tokens: what a machine may do with one, and until when.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{App, FUNCTIONS, Owner, text};

fn tokens(owner: &Owner) -> String {
    format!("/api/v1/projects/{}/tokens", owner.project_id)
}

async fn create(app: &App, owner: &Owner, role: &str) -> Value {
    let body = json!({ "name": "CI", "role": role });
    let reply = app.post(&tokens(owner), Some(&owner.token), body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.data()
}

#[tokio::test]
async fn a_token_acts_in_its_project_with_its_role_and_nowhere_else() {
    let app = App::start().await;
    let owner = app.owner().await;
    let other = app.project(&owner.token, "other").await;
    let created = create(&app, &owner, "member").await;
    let token = text(&created["token"]);
    assert!(token.starts_with("apprun_pt_"), "{token}");

    let function = owner.new_function("from-ci");
    assert_eq!(app.post(FUNCTIONS, Some(&token), function).await.status, 201);
    let projects = app.get("/api/v1/projects", &token).await.data();
    assert_eq!(projects["items"].as_array().unwrap().len(), 1);
    app.get(&format!("/api/v1/projects/{other}"), &token).await.assert_error(404, "NOT_FOUND");
    app.get(&tokens(&owner), &token).await.assert_error(403, "FORBIDDEN");
    let more = app.post("/api/v1/projects", Some(&token), json!({ "name": "more" })).await;
    more.assert_error(403, "FORBIDDEN");
    let me = app.get("/api/v1/auth/me", &token).await.data();
    assert_eq!((&me["user_id"], &me["name"]), (&created["user_id"], &json!("CI")));
    for path in ["/api/v1/auth/logout", "/api/v1/auth/switch"] {
        let body = json!({ "tenant_id": me["tenant_id"] });
        app.post(path, Some(&token), body).await.assert_error(403, "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_the_list_forgets_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let created = create(&app, &owner, "viewer").await;
    let token = text(&created["token"]);
    let listed = app.get(&tokens(&owner), &owner.token).await.data();
    assert!(listed["items"][0]["last_used_at"].is_null());
    assert!(!listed.to_string().contains(&token), "the token is shown once");

    app.get("/api/v1/projects", &token).await.data();
    let listed = app.get(&tokens(&owner), &owner.token).await.data();
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");

    let path = format!("{}/{}", tokens(&owner), text(&created["token_id"]));
    app.call(Method::DELETE, &path, Some(&owner.token), None).await.data();
    app.get("/api/v1/projects", &token).await.assert_error(401, "UNAUTHENTICATED");
    app.call(Method::DELETE, &path, Some(&owner.token), None).await.assert_error(404, "NOT_FOUND");
    assert_eq!(app.get(&tokens(&owner), &owner.token).await.data()["items"], json!([]));
}

#[tokio::test]
async fn an_expired_or_unknown_token_is_refused() {
    let app = App::start().await;
    let owner = app.owner().await;
    let body = json!({ "name": "CI", "role": "viewer", "expires_in_days": 1 });
    let created = app.post(&tokens(&owner), Some(&owner.token), body).await.data();
    let token = text(&created["token"]);
    assert_eq!(app.get("/api/v1/projects", &token).await.status, 200);
    let pool = app.database.pool().await;
    sqlx::query("update project_token set expires_at = now()").execute(&pool).await.unwrap();
    let changed = format!("{}0", &token[..token.len() - 1]);
    for token in [token.as_str(), &changed, "apprun_pt_", "apprun_pt_ü"] {
        let refused = app.get("/api/v1/projects", token).await;
        refused.assert_error(401, "UNAUTHENTICATED");
    }
    let row: String = sqlx::query_scalar("select row_to_json(t)::text from project_token t")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!row.contains(token.trim_start_matches("apprun_pt_")), "{row}");
}

#[tokio::test]
async fn how_long_a_token_is_good_has_bounds() {
    let app = App::start().await;
    let owner = app.owner().await;
    for days in [0, 3651] {
        let body = json!({ "name": "CI", "role": "viewer", "expires_in_days": days });
        let refused = app.post(&tokens(&owner), Some(&owner.token), body).await;
        assert_eq!(refused.wrong_fields(), ["expires_in_days"]);
    }
}

#[tokio::test]
async fn machines_are_no_members() {
    let app = App::start().await;
    let owner = app.owner().await;
    let created = create(&app, &owner, "member").await;
    let path = format!("/api/v1/projects/{}/members", owner.project_id);
    let members = app.get(&path, &owner.token).await.data();
    assert_eq!(members["items"].as_array().unwrap().len(), 1);
    let machine = format!("{path}/{}", text(&created["user_id"]));
    app.call(Method::DELETE, &machine, Some(&owner.token), None)
        .await
        .assert_error(404, "NOT_FOUND");
}
