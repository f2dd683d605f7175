//! Asking to be told how a call ended, and looking at what became of that.

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use serde_json::{Value, json};

use crate::harness::{App, FUNCTIONS, Owner, text, worker};

const URL: &str = "https://hooks.example.com/done?x=1";

async fn rotate(app: &App, owner: &Owner) -> Value {
    let path = format!("/api/v1/projects/{}/callback-secret", owner.project_id);
    let reply = app.call(hyper::Method::POST, &path, Some(&owner.token), None).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.data()
}

#[tokio::test]
async fn a_callback_is_due_when_its_execution_ends_however_it_ends() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    rotate(&app, &owner).await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    for how in ["run", "cancel"] {
        let body = json!({ "callback_url": URL });
        let queued = app.post(&path, Some(&owner.token), body).await.data();
        let execution = format!("{FUNCTIONS}/executions/{}", text(&queued["execution_id"]));
        let deliveries = format!("{execution}/deliveries");
        let before = app.get(&deliveries, &owner.token).await.data();
        let nothing =
            json!({ "callback_url": URL, "status": null, "next_attempt_at": null, "attempts": [] });
        assert_eq!(before, nothing);
        match how {
            "run" => worker::run_everything(&app, &worker::completed("1")).await,
            _ => {
                let cancel = format!("{execution}/cancel");
                let reply = app.call(hyper::Method::POST, &cancel, Some(&owner.token), None).await;
                assert_eq!(reply.status, 200);
            }
        }
        let after = app.get(&deliveries, &owner.token).await.data();
        assert_eq!(
            (&after["status"], &after["attempts"]),
            (&json!("pending"), &json!([])),
            "{how}"
        );
        assert!(after["next_attempt_at"].is_string());
    }
    let due = shared::store::callback::claim(&app.db, 10, app.secret_keys()).await.unwrap();
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|it| it.url == URL && it.secrets.len() == 1 && it.ended.is_some()));
}

#[tokio::test]
async fn a_secret_is_shown_once_and_the_one_before_signs_for_a_while() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let first = rotate(&app, &owner).await;
    assert!(text(&first["secret"]).starts_with("whsec_") && first["previous_until"].is_null());
    let bytes = BASE64.decode(text(&first["secret"]).trim_start_matches("whsec_")).unwrap();
    let kept: Vec<u8> = sqlx::query_scalar("select secret from callback_secret")
        .fetch_one(&app.database.pool().await)
        .await
        .unwrap();
    assert!(kept.len() > bytes.len() && !kept.windows(8).any(|part| bytes.starts_with(part)));
    let second = rotate(&app, &owner).await;
    assert_ne!(second["secret"], first["secret"]);
    assert!(second["previous_until"].is_string());
    let path = format!("{FUNCTIONS}/{id}/invoke-batch");
    let body = json!({ "inputs": [1, 2], "callback_url": URL });
    app.post(&path, Some(&owner.token), body).await.data();
    worker::run_everything(&app, &worker::completed("1")).await;
    let due = shared::store::callback::claim(&app.db, 10, app.secret_keys()).await.unwrap();
    let signers: Vec<_> = due.iter().map(|callback| callback.secrets.len()).collect();
    assert_eq!(signers, [2, 2]);
    assert_eq!(
        due[0].secrets[1], bytes,
        "sealed in its row, itself again where messages are signed"
    );
}

#[tokio::test]
async fn a_server_without_a_key_for_secrets_makes_none_for_callbacks() {
    let app = App::start_with(|config| config.secret_keys = None).await;
    let owner = app.owner().await;
    let path = format!("/api/v1/projects/{}/callback-secret", owner.project_id);
    let refused = app.call(hyper::Method::POST, &path, Some(&owner.token), None).await;
    let error = refused.assert_error(409, "CONFLICT");
    assert!(text(&error["message"]).contains("APPRUN_SECRET_KEY"), "{error}");
}

#[tokio::test]
async fn a_callback_url_is_checked_before_anything_is_accepted() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let unsigned = app.post(&path, Some(&owner.token), json!({ "callback_url": URL })).await;
    assert_eq!(unsigned.wrong_fields(), ["callback_url"]);
    assert!(text(&unsigned.error()["message"]).contains("/callback-secret"));
    rotate(&app, &owner).await;
    let bad = [
        json!(1),
        json!("/hook"),
        json!("ftp://example.com/"),
        json!("https://ann:secret@example.com/"),
        json!("http://127.0.0.1/"),
        json!("http://2130706433/"),
        json!("http://[::1]/"),
        json!("http://[::ffff:10.0.0.1]/"),
        json!("http://169.254.169.254/latest/meta-data"),
        json!(format!("https://example.com/{}", "x".repeat(2048))),
    ];
    for url in bad {
        let reply = app.post(&path, Some(&owner.token), json!({ "callback_url": url })).await;
        assert_eq!(reply.wrong_fields(), ["callback_url"], "{url}");
    }
    assert!(worker::claim_all(&app).await.is_empty());
}

#[tokio::test]
async fn an_execution_without_a_callback_has_no_deliveries() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let queued = app.post(&path, Some(&owner.token), json!({})).await.data();
    let path = format!("{FUNCTIONS}/executions/{}/deliveries", text(&queued["execution_id"]));
    app.get(&path, &owner.token).await.assert_error(404, "NOT_FOUND");
}
