//! Invitations: good once, for one address, for a time.

use hyper::Method;
use serde_json::json;
use shared::config::Registration;

use crate::harness::{App, Owner, Reply, text};

const REGISTER: &str = "/api/v1/auth/register";

fn invitations(owner: &Owner) -> String {
    format!("/api/v1/projects/{}/invitations", owner.project_id)
}

async fn register(app: &App, email: &str, token: &str) -> Reply {
    let account = json!({ "email": email, "password": "correct horse", "invitation": token });
    app.post(REGISTER, None, account).await
}

async fn accept(app: &App, as_whom: &str, token: &str) -> Reply {
    app.post("/api/v1/invitations/accept", Some(as_whom), json!({ "token": token })).await
}

#[tokio::test]
async fn somebody_new_registers_with_it_where_nobody_else_may() {
    let app = App::start().await;
    let owner = app.owner().await;
    let token = app.invite(&owner, "bob@example.com", "member").await;
    assert!(token.starts_with("apprun_inv_"), "{token}");
    register(&app, "eve@example.com", &token).await.assert_error(403, "FORBIDDEN");
    let registered = register(&app, "Bob@Example.com", &token).await.data();

    let bob = app.log_in("bob@example.com").await;
    let me = app.get("/api/v1/auth/me", &bob.token).await.data();
    assert_eq!(me["tenant_id"], registered["tenant_id"]);
    assert!(me["role"].is_null(), "a guest has no role over the tenant: {me}");
    let projects = app.get("/api/v1/projects", &bob.token).await.data();
    assert_eq!(projects["items"][0]["role"], "member");
    let more = app.post("/api/v1/projects", Some(&bob.token), json!({ "name": "more" })).await;
    more.assert_error(403, "FORBIDDEN");
    register(&app, "bob@example.com", &token).await.assert_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn somebody_with_an_account_accepts_and_acts_in_both_tenants() {
    let app = App::start().await;
    let owner = app.owner().await;
    let bob = app.register("bob@example.com").await;
    let eve = app.register("eve@example.com").await;
    let token = app.invite(&owner, "bob@example.com", "admin").await;
    accept(&app, &eve.token, &token).await.assert_error(403, "FORBIDDEN");
    let accepted = accept(&app, &bob.token, &token).await.data();
    assert_eq!(
        (&accepted["project_id"], &accepted["role"]),
        (&json!(owner.project_id), &json!("admin"))
    );
    accept(&app, &bob.token, &token).await.assert_error(404, "NOT_FOUND");

    let path = format!("/api/v1/projects/{}", owner.project_id);
    app.get(&path, &bob.token).await.assert_error(404, "NOT_FOUND");
    let to = json!({ "tenant_id": accepted["tenant_id"] });
    let there = app.post("/api/v1/auth/switch", Some(&bob.token), to.clone()).await.data();
    let found = app.get(&path, &text(&there["access_token"])).await.data();
    assert_eq!(found["role"], "admin");
    app.post("/api/v1/auth/switch", Some(&eve.token), to).await.assert_error(404, "NOT_FOUND");

    let login = json!({
        "email": "bob@example.com", "password": "correct horse",
        "tenant_id": accepted["tenant_id"],
    });
    let there = app.post("/api/v1/auth/login", None, login).await.data();
    assert_eq!(app.get(&path, &text(&there["access_token"])).await.status, 200);
}

#[tokio::test]
async fn what_is_listed_can_be_revoked_and_what_is_over_opens_nothing() {
    let app = App::start().await;
    let owner = app.owner().await;
    let token = app.invite(&owner, "bob@example.com", "member").await;
    let list = app.get(&invitations(&owner), &owner.token).await.data();
    let listed = &list["items"][0];
    assert_eq!((&listed["email"], &listed["role"]), (&json!("bob@example.com"), &json!("member")));
    assert!(!list.to_string().contains(&token), "the token is shown once");

    let path = format!("{}/{}", invitations(&owner), text(&listed["invitation_id"]));
    app.call(Method::DELETE, &path, Some(&owner.token), None).await.data();
    app.call(Method::DELETE, &path, Some(&owner.token), None).await.assert_error(404, "NOT_FOUND");
    register(&app, "bob@example.com", &token).await.assert_error(404, "NOT_FOUND");

    let late = app.invite(&owner, "late@example.com", "member").await;
    let pool = app.database.pool().await;
    sqlx::query("update invitation set expires_at = now()").execute(&pool).await.unwrap();
    register(&app, "late@example.com", &late).await.assert_error(404, "NOT_FOUND");
    let list = app.get(&invitations(&owner), &owner.token).await.data();
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn two_who_use_one_invitation_at_once_are_one() {
    let app = App::start().await;
    let owner = app.owner().await;
    let token = app.invite(&owner, "bob@example.com", "member").await;
    let both = [(); 2].map(|()| register(&app, "bob@example.com", &token));
    let replies = futures_util::future::join_all(both).await;
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 1, "{replies:?}");
}

#[tokio::test]
async fn a_token_is_kept_only_as_its_hash() {
    let app = App::start().await;
    let owner = app.owner().await;
    let token = app.invite(&owner, "bob@example.com", "member").await;
    let pool = app.database.pool().await;
    let row: String = sqlx::query_scalar("select row_to_json(i)::text from invitation i")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!row.contains(token.trim_start_matches("apprun_inv_")), "{row}");
}

#[tokio::test]
async fn a_fresh_server_is_set_up_once_with_its_token() {
    for switch in [Registration::Invite, Registration::Closed] {
        let app = App::start_with(|config| config.registration = switch).await;
        let token = app.state.setup_token().await.unwrap().expect("it is fresh");
        let account = |email: &str, token: &str| json!({ "email": email, "password": "correct horse", "setup_token": token });
        let wrong = app.post(REGISTER, None, account("eve@a.b", "apprun_setup_guess")).await;
        wrong.assert_error(403, "FORBIDDEN");
        let at_once = ["ann@a.b", "bob@a.b", "cid@a.b"]
            .map(|email| app.post(REGISTER, None, account(email, &token)));
        let replies = futures_util::future::join_all(at_once).await;
        let created = replies.iter().filter(|reply| reply.status == 201).count();
        assert_eq!(created, 1, "{replies:?}");
        let again = app.post(REGISTER, None, account("dan@a.b", &token)).await;
        again.assert_error(403, "FORBIDDEN");
        assert_eq!(app.state.setup_token().await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_open_server_needs_no_setting_up() {
    let app = App::start().await;
    assert_eq!(app.state.setup_token().await.unwrap(), None);
}
