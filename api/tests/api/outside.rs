//! Tokens of an outside OpenID Connect issuer: which are good, and who their owners are here.

use std::{collections::BTreeSet, time::Duration};

use api::KeyPace;
use hyper::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use shared::config::Registration;

use crate::harness::{
    App, Owner,
    issuer::{Issuer, Key, NO_FLOOR, claims},
    text,
};

const ME: &str = "/api/v1/auth/me";

/// A server that trusts the issuer.
async fn app(issuer: &Issuer, pace: KeyPace, registration: Registration) -> App {
    App::start_with(|config| {
        config.outside_issuer = issuer.settings();
        config.key_pace = pace;
        config.registration = registration;
    })
    .await
}

async fn open(issuer: &Issuer, pace: KeyPace) -> App {
    app(issuer, pace, Registration::Open).await
}

fn with(subject: &str, name: &str, value: Value) -> Value {
    let mut claims = claims(subject);
    claims[name] = value;
    claims
}

fn without(subject: &str, name: &str) -> Value {
    let mut claims = claims(subject);
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn each_algorithm_is_accepted_and_a_subject_is_one_person() {
    let keys = [Key::rsa("rsa"), Key::ec("ec"), Key::ed("ed")];
    let issuer = Issuer::start(&[&keys[0], &keys[1], &keys[2]]).await;
    let app = open(&issuer, KeyPace::default()).await;
    let mut people = BTreeSet::new();
    for key in &keys {
        let me = app.get(ME, &key.sign(&claims("ann"))).await.data();
        assert_eq!(me["role"], "owner", "of a tenant of her own: {me}");
        people.insert(text(&me["user_id"]));
    }
    assert_eq!(people.len(), 1, "{people:?}");
    let bob = app.get(ME, &keys[0].sign(&claims("bob"))).await.data();
    assert!(people.insert(text(&bob["user_id"])));
    assert_eq!(issuer.asked(), 1, "the keys are kept");
    let info = app.get("/api/v1/info", &keys[0].sign(&claims("ann"))).await.data();
    assert_eq!(info["outside_issuer"], "https://login.example.com/realm");
}

#[tokio::test]
async fn an_audience_may_stand_among_others() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = open(&issuer, KeyPace::default()).await;
    let token = key.sign(&with("ann", "aud", json!(["others", "apprun"])));
    app.get(ME, &token).await.data();
}

/// `{"alg":"none"}` and the claims, without a signature.
fn unsigned(claims: &Value) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    format!(
        "{}.{}.",
        BASE64.encode(r#"{"alg":"none","kid":"rsa"}"#),
        BASE64.encode(claims.to_string())
    )
}

/// Signed by somebody who takes the public key for a shared secret.
fn confused(public: &Value) -> Vec<String> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    let modulus = text(&public["n"]);
    let secrets = [modulus.as_bytes().to_vec(), BASE64.decode(&modulus).unwrap()];
    let header = Header { kid: Some("rsa".to_owned()), ..Header::new(Algorithm::HS256) };
    secrets
        .iter()
        .map(|secret| encode(&header, &claims("ann"), &EncodingKey::from_secret(secret)).unwrap())
        .collect()
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_is_a_401() {
    let (rsa, ec, ed) = (Key::rsa("rsa"), Key::ec("ec"), Key::ed("ed"));
    let issuer = Issuer::start(&[&rsa, &ec, &ed]).await;
    let app = open(&issuer, NO_FLOOR).await;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let good = rsa.sign(&claims("ann"));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let mut cases = vec![
        ("expired", rsa.sign(&with("ann", "exp", json!(now - 120)))),
        ("without an end", rsa.sign(&without("ann", "exp"))),
        ("not yet good", rsa.sign(&with("ann", "nbf", json!(now + 120)))),
        ("of another issuer", rsa.sign(&with("ann", "iss", json!("https://evil.example.com")))),
        ("without an issuer", rsa.sign(&without("ann", "iss"))),
        ("for others", rsa.sign(&with("ann", "aud", json!("others")))),
        ("for nobody", rsa.sign(&without("ann", "aud"))),
        ("about nobody", rsa.sign(&without("ann", "sub"))),
        ("about an empty subject", rsa.sign(&claims(""))),
        ("about an endless subject", rsa.sign(&claims(&"x".repeat(256)))),
        ("about a NUL", rsa.sign(&claims("ann\0"))),
        ("signed by nobody", unsigned(&claims("ann"))),
        ("signed by a stranger", Key::ed("ed").sign(&claims("ann"))),
        ("signed with another key", ec.sign_as("rsa", &claims("ann"))),
        ("signed with an unknown key", Key::ed("new").sign(&claims("ann"))),
        (
            "with another's signature",
            format!("{}.{signature}", ec.sign(&claims("eve")).rsplit_once('.').unwrap().0),
        ),
        ("with half a signature", format!("{head}.{}", &signature[..20])),
        ("without its signature", format!("{head}.")),
    ];
    cases
        .extend(confused(&rsa.public()).into_iter().map(|token| ("of confused algorithms", token)));
    for (name, token) in cases {
        let reply = app.get(ME, &token).await;
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        reply.assert_error(401, "UNAUTHENTICATED");
    }
    let pool = app.database.pool().await;
    let people: i64 =
        sqlx::query_scalar("select count(*) from user_account").fetch_one(&pool).await.unwrap();
    assert_eq!(people, 0, "none of them became somebody");
    app.get(ME, &good).await.data();
}

#[tokio::test]
async fn a_shared_secret_among_the_keys_is_none() {
    let key = Key::ed("ed");
    let issuer = Issuer::start(&[&key]).await;
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256" });
    issuer.publish_as_is(vec![secret, key.public()]);
    let app = open(&issuer, NO_FLOOR).await;
    let header = Header { kid: Some("secret".to_owned()), ..Header::new(Algorithm::HS256) };
    let token = encode(&header, &claims("ann"), &EncodingKey::from_secret(b"secret")).unwrap();
    app.get(ME, &token).await.assert_error(401, "UNAUTHENTICATED");
    app.get(ME, &key.sign(&claims("ann"))).await.data();
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_an_old_one_is_soon_forgotten() {
    let (old, new) = (Key::ed("old"), Key::ed("new"));
    let issuer = Issuer::start(&[&old]).await;
    let app = open(&issuer, NO_FLOOR).await;
    app.get(ME, &old.sign(&claims("ann"))).await.data();
    issuer.publish(&[&new]);
    app.get(ME, &new.sign(&claims("ann"))).await.data();
    app.get(ME, &old.sign(&claims("ann"))).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn keys_are_asked_for_again_when_they_are_old() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let always_old = KeyPace { refresh_after: Duration::ZERO, ..NO_FLOOR };
    let app = open(&issuer, always_old).await;
    app.get(ME, &key.sign(&claims("ann"))).await.data();
    issuer.publish(&[&Key::ed("one")]);
    let taken_back = app.get(ME, &key.sign(&claims("ann"))).await;
    taken_back.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn tokens_that_name_unknown_keys_do_not_trouble_the_issuer() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = open(&issuer, KeyPace::default()).await;
    app.get(ME, &key.sign(&claims("ann"))).await.data();
    let forged = Key::ed("forged");
    let tokens = (0..20).map(|number| forged.sign_as(&format!("k{number}"), &claims("ann")));
    for token in tokens {
        app.get(ME, &token).await.assert_error(401, "UNAUTHENTICATED");
    }
    assert_eq!(issuer.asked(), 1, "the floor between two attempts holds");
}

#[tokio::test]
async fn while_the_issuer_is_away_the_last_keys_go_on() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = open(&issuer, KeyPace { refresh_after: Duration::ZERO, ..NO_FLOOR }).await;
    app.get(ME, &key.sign(&claims("ann"))).await.data();
    issuer.set_down(true);
    app.get(ME, &key.sign(&claims("ann"))).await.data();
    let unknown = app.get(ME, &Key::ed("two").sign(&claims("ann"))).await;
    unknown.assert_error(401, "UNAUTHENTICATED");
    assert!(issuer.asked() >= 3, "it was asked");
}

#[tokio::test]
async fn without_any_keys_the_answer_is_to_try_again_and_own_tokens_are_good() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    issuer.set_down(true);
    let app = open(&issuer, NO_FLOOR).await;
    let reply = app.get(ME, &key.sign(&claims("ann"))).await;
    reply.assert_error(503, "OVERLOADED");
    assert!(reply.headers.contains_key("retry-after"));
    let own = app.register("own@example.com").await;
    app.get(ME, &own.token).await.data();
    issuer.set_down(false);
    app.get(ME, &key.sign(&claims("ann"))).await.data();
}

#[tokio::test]
async fn keys_that_nobody_confirmed_for_long_are_not_relied_on() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let pace = KeyPace { good_for: Duration::ZERO, ..NO_FLOOR };
    let app = open(&issuer, pace).await;
    app.get(ME, &key.sign(&claims("ann"))).await.assert_error(503, "OVERLOADED");
}

#[tokio::test]
async fn many_first_requests_at_once_make_one_person() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = open(&issuer, KeyPace::default()).await;
    let token = key.sign(&claims("ann"));
    let all = futures_util::future::join_all((0..20).map(|_| app.get(ME, &token))).await;
    let people: BTreeSet<_> = all.iter().map(|reply| text(&reply.data()["user_id"])).collect();
    assert_eq!(people.len(), 1, "{people:?}");
    assert_eq!(issuer.asked(), 1, "and ask for the keys once");
}

#[tokio::test]
async fn an_address_that_somebody_has_here_does_not_make_them_one() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = open(&issuer, KeyPace::default()).await;
    let own = app.register("ann@example.com").await;
    let own = app.get(ME, &own.token).await.data();
    let mut claims = with("ann", "email", json!("Ann@example.com"));
    claims["email_verified"] = json!(true);
    let outside = app.get(ME, &key.sign(&claims)).await.data();
    assert_ne!(outside["user_id"], own["user_id"]);
    assert_ne!(outside["tenant_id"], own["tenant_id"]);
    assert!(outside["email"].is_null(), "{outside}");
}

fn verified(subject: &str, email: &str, verified: Value) -> Value {
    let mut claims = with(subject, "email", json!(email));
    claims["email_verified"] = verified;
    claims
}

/// A project on a server where nobody else may register.
async fn owner_by_setup(app: &App) -> Owner {
    let setup_token = app.state.setup_token().await.unwrap();
    let account = json!({
        "email": "owner@example.com", "password": "correct horse", "setup_token": setup_token,
    });
    app.post("/api/v1/auth/register", None, account).await.data();
    let token = app.log_in("owner@example.com").await.token;
    let project_id = app.project(&token, "shop").await;
    Owner { token, project_id }
}

#[tokio::test]
async fn where_registration_is_by_invitation_a_verified_address_opens_what_invited_it() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = app(&issuer, KeyPace::default(), Registration::Invite).await;
    let owner = owner_by_setup(&app).await;
    let early = key.sign(&verified("bob", "bob@example.com", json!(true)));
    app.get(ME, &early).await.assert_error(403, "FORBIDDEN");
    app.invite(&owner, "bob@example.com", "member").await;
    for not_verified in [json!(false), json!("no"), Value::Null] {
        let token = key.sign(&verified("eve", "bob@example.com", not_verified));
        app.get(ME, &token).await.assert_error(403, "FORBIDDEN");
    }
    let token = key.sign(&verified("bob", "Bob@example.com", json!("true")));
    let bob = app.get(ME, &token).await.data();
    assert!(bob["role"].is_null(), "a guest: {bob}");
    let projects = app.get("/api/v1/projects", &token).await.data();
    assert_eq!(projects["items"][0]["role"], "member");
    let late = key.sign(&verified("eve", "bob@example.com", json!(true)));
    app.get(ME, &late).await.assert_error(403, "FORBIDDEN");
}

#[tokio::test]
async fn where_registration_is_closed_nobody_new_comes_in() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = app(&issuer, KeyPace::default(), Registration::Closed).await;
    let reply = app.get(ME, &key.sign(&claims("ann"))).await;
    let error = reply.assert_error(403, "FORBIDDEN");
    assert!(text(&error["message"]).contains("closed"), "{error}");
}

#[tokio::test]
async fn somebody_from_outside_goes_to_another_tenant_and_has_no_session_to_end() {
    let key = Key::ed("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = open(&issuer, KeyPace::default()).await;
    let owner = app.owner().await;
    let token = key.sign(&verified("bob", "bob@example.com", json!(true)));
    app.get(ME, &token).await.data();
    let invitation = app.invite(&owner, "bob@example.com", "viewer").await;
    let accepted = json!({ "token": invitation });
    let accepted = app.post("/api/v1/invitations/accept", Some(&token), accepted).await.data();
    let to = json!({ "tenant_id": accepted["tenant_id"] });
    let switched = app.post("/api/v1/auth/switch", Some(&token), to).await.data();
    let there = app.get(ME, &text(&switched["access_token"])).await.data();
    assert_eq!(there["tenant_id"], accepted["tenant_id"]);
    let logout = app.call(Method::POST, "/api/v1/auth/logout", Some(&token), None).await;
    logout.assert_error(403, "FORBIDDEN");
}
