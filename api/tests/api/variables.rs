//! Variables and secrets of functions: what is shown of them, and what is kept.

use hyper::Method;
use serde_json::{Value, json};
use shared::{
    domain::FunctionId,
    seal::SecretKeys,
    store::secret::{self, Resealed},
};

use crate::harness::{App, FUNCTIONS, Owner, Reply, text, worker};

const VALUE: &str = "hunter2-hunter2";

async fn with_secret(app: &App, owner: &Owner) -> (String, Reply) {
    let mut new = owner.new_function("hello");
    new["env"] = json!({ "PLAIN": "shown" });
    new["secrets"] = json!({ "PASSWORD": VALUE, "OTHER": VALUE });
    let created = app.post(FUNCTIONS, Some(&owner.token), new).await;
    (text(&created.data()["function_id"]), created)
}

async fn change(app: &App, owner: &Owner, id: &str, body: Value) -> Reply {
    app.call(Method::PUT, &format!("{FUNCTIONS}/{id}"), Some(&owner.token), Some(&body)).await
}

fn keys(bytes: &[u8]) -> SecretKeys {
    let texts = bytes.iter().map(|byte| SecretKeys::text_of([*byte; 32]).expose().to_owned());
    texts.collect::<Vec<_>>().join(",").parse().unwrap()
}

#[tokio::test]
async fn secrets_go_in_and_only_their_names_come_out() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (id, created) = with_secret(&app, &owner).await;
    worker::build_everything(&app).await;
    let path = format!("{FUNCTIONS}/{id}");
    let mut replies = vec![created];
    for suffix in ["", "/versions", "/versions/1/source"] {
        replies.push(app.get(&format!("{path}{suffix}"), &owner.token).await);
    }
    replies.push(change(&app, &owner, &id, json!({ "secrets": { "MORE": VALUE } })).await);
    replies.push(change(&app, &owner, &id, json!({ "secrets": { "A B": VALUE } })).await);
    replies.push(change(&app, &owner, &id, json!({ "secrets": VALUE })).await);
    replies
        .push(change(&app, &owner, &id, json!({ "timeout": 0, "secrets": { "X": VALUE } })).await);
    for reply in &replies {
        assert!(!reply.body.contains(VALUE), "{reply:?}");
    }
    assert_eq!(replies[1].data()["env"], json!({ "PLAIN": "shown" }));
    assert_eq!(replies[1].data()["secrets"], json!(["OTHER", "PASSWORD"]));
}

#[tokio::test]
async fn secrets_lie_encrypted_in_the_database() {
    let app = App::start().await;
    let owner = app.owner().await;
    with_secret(&app, &owner).await;
    let pool = app.database.pool().await;
    let rows: Vec<(uuid::Uuid, String, Vec<u8>)> =
        sqlx::query_as("select function_id, name, sealed from function_secret order by name")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(rows.len(), 2);
    for (_, _, sealed) in &rows {
        assert!(!sealed.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()));
    }
    let dump: String = sqlx::query_scalar("select query_to_xml('select v.*, f.* from function_version v, function f', true, false, '')::text")
        .fetch_one(&pool).await.unwrap();
    assert!(dump.contains("shown") && !dump.contains(VALUE));
    let version: uuid::Uuid =
        sqlx::query_scalar("select id from function_version").fetch_one(&pool).await.unwrap();
    let stored = secret::of_version(&app.db, shared::domain::VersionId(version)).await.unwrap();
    for (name, sealed) in stored {
        let opened = keys(&[7]).open(FunctionId(rows[0].0), &name, &sealed);
        assert_eq!(opened.unwrap().expose(), VALUE);
    }
}

#[tokio::test]
async fn a_change_names_the_secrets_that_change() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (id, _) = with_secret(&app, &owner).await;
    worker::build_everything(&app).await;
    let changes = json!({ "secrets": { "OTHER": null, "NEW": "x" }, "env": {} });
    change(&app, &owner, &id, changes).await.data();
    let details = app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data();
    assert_eq!(details["secrets"], json!(["NEW", "PASSWORD"]));
    assert_eq!(details["env"], json!({}), "plain variables are replaced as a whole");
    let clash = change(&app, &owner, &id, json!({ "env": { "PASSWORD": "x" } })).await;
    assert_eq!(clash.wrong_fields(), ["env"]);
    let back = json!({ "version": "1" });
    app.post(&format!("{FUNCTIONS}/{id}/rollback"), Some(&owner.token), back).await.data();
    let details = app.get(&format!("{FUNCTIONS}/{id}"), &owner.token).await.data();
    assert_eq!(details["secrets"], json!(["OTHER", "PASSWORD"]), "a version keeps its own");
}

#[tokio::test]
async fn a_server_without_a_key_refuses_secrets() {
    let app = App::start_with(|config| config.secret_keys = None).await;
    let owner = app.owner().await;
    let mut new = owner.new_function("hello");
    new["secrets"] = json!({ "A": VALUE });
    let refused = app.post(FUNCTIONS, Some(&owner.token), new).await;
    assert_eq!(refused.wrong_fields(), ["secrets"]);
    assert!(text(&refused.error()["message"]).contains("APPRUN_SECRET_KEY"));
}

#[tokio::test]
async fn a_new_key_takes_over_what_an_older_one_sealed() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (id, _) = with_secret(&app, &owner).await;
    let id: FunctionId = id.parse().unwrap();
    let resealed = |renewed, unreadable| Resealed { renewed, unreadable };
    assert_eq!(secret::reseal(&app.db, &keys(&[9])).await.unwrap(), resealed(0, 2));
    assert_eq!(secret::reseal(&app.db, &keys(&[9, 7])).await.unwrap(), resealed(2, 0));
    assert_eq!(secret::reseal(&app.db, &keys(&[9, 7])).await.unwrap(), resealed(0, 0));
    let pool = app.database.pool().await;
    let version: uuid::Uuid =
        sqlx::query_scalar("select id from function_version").fetch_one(&pool).await.unwrap();
    for (name, sealed) in
        secret::of_version(&app.db, shared::domain::VersionId(version)).await.unwrap()
    {
        assert_eq!(keys(&[9]).open(id, &name, &sealed).unwrap().expose(), VALUE);
        assert_eq!(keys(&[7]).open(id, &name, &sealed), None);
    }
}
