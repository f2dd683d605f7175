//! Registering, logging in, and who one is.

use hyper::Method;
use serde_json::json;
use shared::{config::Registration, domain::Plan};

use crate::harness::App;

const REGISTER: &str = "/api/v1/auth/register";
const LOGIN: &str = "/api/v1/auth/login";

#[tokio::test]
async fn a_new_account_owns_a_tenant_on_the_default_plan() {
    let app = App::start_with(|config| config.default_plan = Plan::Paid).await;
    let account = json!({ "email": "ann@example.com", "password": "correct horse", "name": "Ann" });
    let registered = app.post(REGISTER, None, account).await;
    assert_eq!(registered.status, 201);
    let registered = registered.data();

    let login = json!({ "email": "ANN@example.com", "password": "correct horse" });
    let tokens = app.post(LOGIN, None, login).await.data();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));

    let me = app.get("/api/v1/auth/me", tokens["access_token"].as_str().unwrap()).await.data();
    let expected = json!({
        "user_id": registered["user_id"],
        "tenant_id": registered["tenant_id"],
        "email": "ann@example.com",
        "name": "Ann",
        "role": "owner",
        "plan": "paid",
        "tenants": [{ "tenant_id": registered["tenant_id"], "name": "Ann", "role": "owner" }],
    });
    assert_eq!(me, expected);
}

#[tokio::test]
async fn an_address_has_one_account_whatever_its_case() {
    let app = App::start().await;
    app.register("ann@example.com").await;
    let again = json!({ "email": "Ann@Example.com", "password": "correct horse" });
    let error = app.post(REGISTER, None, again).await.assert_error(409, "CONFLICT");
    assert_eq!(error["details"]["field"], "email");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer() {
    let app = App::start().await;
    app.register("ann@example.com").await;
    let wrong = json!({ "email": "ann@example.com", "password": "correct house" });
    let unknown = json!({ "email": "bob@example.com", "password": "correct horse" });
    let wrong = app.post(LOGIN, None, wrong).await.assert_error(401, "UNAUTHENTICATED");
    let unknown = app.post(LOGIN, None, unknown).await.assert_error(401, "UNAUTHENTICATED");
    assert_eq!(wrong, unknown);
}

#[tokio::test]
async fn registration_is_a_switch() {
    for (switch, word) in [(Registration::Closed, "closed"), (Registration::Invite, "invitation")] {
        let app = App::start_with(|config| config.registration = switch).await;
        let account = json!({ "email": "ann@example.com", "password": "correct horse" });
        let error = app.post(REGISTER, None, account).await.assert_error(403, "FORBIDDEN");
        assert!(error["message"].as_str().unwrap().contains(word), "{error}");
    }
}

#[tokio::test]
async fn more_registrations_than_cores_all_succeed() {
    let app = App::start().await;
    let emails: Vec<_> = (0..8).map(|n| format!("ann{n}@example.com")).collect();
    futures_util::future::join_all(emails.iter().map(|email| app.register(email))).await;
}

#[tokio::test]
async fn what_happened_to_accounts_is_on_record() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    app.call(Method::POST, "/api/v1/auth/logout", Some(&person.token), None).await.data();
    let pool = app.database.pool().await;
    let actions: Vec<String> =
        sqlx::query_scalar("select action from audit order by id").fetch_all(&pool).await.unwrap();
    assert_eq!(actions, ["account.register", "session.open", "session.close"]);
}
