//! Members: who is in a project, who may say so, and that an owner is always left.

use hyper::Method;
use serde_json::{Value, json};

use crate::harness::{App, Owner, Reply, text};

fn members(owner: &Owner) -> String {
    format!("/api/v1/projects/{}/members", owner.project_id)
}

async fn user_id(app: &App, token: &str) -> String {
    text(&app.get("/api/v1/auth/me", token).await.data()["user_id"])
}

async fn change(app: &App, owner: &Owner, by: &str, user: &str, role: &str) -> Reply {
    let path = format!("{}/{user}", members(owner));
    app.call(Method::PUT, &path, Some(by), Some(&json!({ "role": role }))).await
}

async fn remove(app: &App, owner: &Owner, by: &str, user: &str) -> Reply {
    app.call(Method::DELETE, &format!("{}/{user}", members(owner)), Some(by), None).await
}

#[tokio::test]
async fn the_list_shows_everybody_with_the_role_that_counts() {
    let app = App::start().await;
    let owner = app.owner().await;
    app.guest(&owner, "viewer").await;
    let list = app.get(&members(&owner), &owner.token).await.data();
    let shown: Vec<Value> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| json!([it["email"], it["role"], it["project_role"], it["tenant_role"]]))
        .collect();
    let expected = [
        json!(["owner@example.com", "owner", "owner", "owner"]),
        json!(["viewer@guests.example.com", "viewer", "viewer", null]),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_change_of_role_counts_at_once() {
    let app = App::start().await;
    let owner = app.owner().await;
    let bob = app.guest(&owner, "viewer").await;
    let id = user_id(&app, &bob.token).await;
    let body = owner.new_function("hello");
    app.post("/api/v1/functions", Some(&bob.token), body.clone())
        .await
        .assert_error(403, "FORBIDDEN");
    let changed = change(&app, &owner, &owner.token, &id, "member").await.data();
    assert_eq!(changed["role"], "member");
    assert_eq!(app.post("/api/v1/functions", Some(&bob.token), body).await.status, 201);
}

#[tokio::test]
async fn somebody_of_the_tenant_is_added_and_a_stranger_is_not() {
    let app = App::start().await;
    let owner = app.owner().await;
    let bob = app.guest(&owner, "viewer").await;
    app.register("stranger@example.com").await;
    let other =
        Owner { project_id: app.project(&owner.token, "other").await, token: owner.token.clone() };
    let add = |email: &str| {
        let body = json!({ "email": email, "role": "member" });
        let (app, path) = (&app, members(&other));
        let token = owner.token.clone();
        async move { app.post(&path, Some(&token), body).await }
    };
    add("stranger@example.com").await.assert_error(404, "NOT_FOUND");
    add("nobody@example.com").await.assert_error(404, "NOT_FOUND");
    let added = add("Viewer@guests.example.com").await;
    assert_eq!((added.status.as_u16(), &added.data()["role"]), (201, &json!("member")));
    add("viewer@guests.example.com").await.assert_error(409, "CONFLICT");
    let path = format!("/api/v1/projects/{}", other.project_id);
    assert_eq!(app.get(&path, &bob.token).await.data()["role"], "member");
}

#[tokio::test]
async fn the_last_owner_cannot_go() {
    let app = App::start().await;
    let owner = app.owner().await;
    let first = user_id(&app, &owner.token).await;
    remove(&app, &owner, &owner.token, &first).await.assert_error(409, "CONFLICT");
    change(&app, &owner, &owner.token, &first, "admin").await.assert_error(409, "CONFLICT");

    let second = app.guest(&owner, "owner").await;
    remove(&app, &owner, &second.token, &first).await.data();
    let id = user_id(&app, &second.token).await;
    remove(&app, &owner, &owner.token, &id).await.assert_error(409, "CONFLICT");
}

#[tokio::test]
async fn two_owners_who_remove_each_other_leave_one() {
    let app = App::start().await;
    let owner = app.owner().await;
    let second = app.guest(&owner, "owner").await;
    let (one, two) = (user_id(&app, &owner.token).await, user_id(&app, &second.token).await);
    let (gone, also) = tokio::join!(
        remove(&app, &owner, &owner.token, &two),
        remove(&app, &owner, &second.token, &one),
    );
    let mut statuses = [gone.status.as_u16(), also.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{statuses:?}");
    assert!(matches!(statuses[1], 404 | 409 | 403), "{statuses:?}");
    let pool = app.database.pool().await;
    let left: i64 = sqlx::query_scalar("select count(*) from project_member where role = 'owner'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn nobody_deals_with_a_role_above_their_own() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (admin, boss) = (app.guest(&owner, "admin").await, app.guest(&owner, "owner").await);
    let (admin_id, boss_id) = (user_id(&app, &admin.token).await, user_id(&app, &boss.token).await);
    change(&app, &owner, &admin.token, &admin_id, "owner").await.assert_error(403, "FORBIDDEN");
    change(&app, &owner, &admin.token, &boss_id, "viewer").await.assert_error(403, "FORBIDDEN");
    remove(&app, &owner, &admin.token, &boss_id).await.assert_error(403, "FORBIDDEN");
    let path = format!("/api/v1/projects/{}/tokens", owner.project_id);
    let token = json!({ "name": "too much", "role": "owner" });
    app.post(&path, Some(&admin.token), token).await.assert_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn whoever_is_removed_sees_the_project_no_longer() {
    let app = App::start().await;
    let owner = app.owner().await;
    let bob = app.guest(&owner, "admin").await;
    let id = user_id(&app, &bob.token).await;
    remove(&app, &owner, &owner.token, &id).await.data();
    let path = format!("/api/v1/projects/{}", owner.project_id);
    app.get(&path, &bob.token).await.assert_error(404, "NOT_FOUND");
    let pool = app.database.pool().await;
    let actions: Vec<String> =
        sqlx::query_scalar("select action from audit where action like 'member.%'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(actions, ["member.remove"]);
}

#[tokio::test]
async fn whoever_was_removed_gets_no_new_tokens_and_sees_no_usage() {
    let app = App::start().await;
    let owner = app.owner().await;
    let guest = app.guest(&owner, "member").await;
    let refresh = async |token: &str| {
        app.post("/api/v1/auth/refresh", None, json!({ "refresh_token": token })).await
    };
    let next = text(&refresh(&guest.refresh_token).await.data()["refresh_token"]);
    assert_eq!(app.get("/api/v1/usage", &guest.token).await.status, 200);

    let user = user_id(&app, &guest.token).await;
    assert_eq!(remove(&app, &owner, &owner.token, &user).await.status, 200);
    refresh(&next).await.assert_error(401, "UNAUTHENTICATED");
    app.get("/api/v1/usage", &guest.token).await.assert_error(401, "UNAUTHENTICATED");
}
