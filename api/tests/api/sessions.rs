//! Tokens: which are believed, how sessions go on, and how they end.

use std::time::Duration;

use hyper::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::harness::{App, Person, Reply, SECRET, text};

const ME: &str = "/api/v1/auth/me";
const FAR_FUTURE: u64 = 4_102_444_800;

/// Claims that are right in everything.
fn claims(person: &Person, exp: u64) -> Value {
    let body = person.token.split('.').nth(1).unwrap();
    let json = base64_url(body);
    let mut claims: Value = serde_json::from_slice(&json).unwrap();
    claims["exp"] = exp.into();
    claims
}

fn base64_url(text: &str) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn signed(algorithm: Algorithm, claims: &Value, secret: &str) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test]
async fn only_tokens_of_ours_that_have_not_ended_are_believed() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let good = claims(&person, FAR_FUTURE);
    let control = signed(Algorithm::HS256, &good, SECRET);
    assert_eq!(app.get(ME, &control).await.status, 200, "the control must pass");

    let mut other_issuer = good.clone();
    other_issuer["iss"] = "somebody".into();
    let mut no_end = good.clone();
    no_end.as_object_mut().unwrap().remove("exp");
    let unsigned = {
        let (_, rest) = control.split_once('.').unwrap();
        let (body, _) = rest.split_once('.').unwrap();
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.")
    };
    let cases = [
        ("expired", signed(Algorithm::HS256, &claims(&person, 1_000_000), SECRET)),
        ("just expired", signed(Algorithm::HS256, &claims(&person, now() - 1), SECRET)),
        ("other key", signed(Algorithm::HS256, &good, "another secret of thirty-two bytes")),
        ("other algorithm", signed(Algorithm::HS512, &good, SECRET)),
        ("none algorithm", unsigned),
        ("other issuer", signed(Algorithm::HS256, &other_issuer, SECRET)),
        ("without an end", signed(Algorithm::HS256, &no_end, SECRET)),
        ("a refresh token", person.refresh_token.clone()),
        ("cut off", control[..control.len() - 2].to_owned()),
        ("no token at all", "nonsense".to_owned()),
        ("empty", String::new()),
    ];
    for (name, token) in cases {
        let reply = app.get(ME, &token).await;
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        reply.assert_error(401, "UNAUTHENTICATED");
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
}

fn now() -> u64 {
    time::OffsetDateTime::now_utc().unix_timestamp().unsigned_abs()
}

async fn refresh(app: &App, token: &str) -> Reply {
    app.post("/api/v1/auth/refresh", None, json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn a_refresh_gives_the_next_tokens_of_the_session() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let next = refresh(&app, &person.refresh_token).await.data();
    assert_ne!(text(&next["refresh_token"]), person.refresh_token);
    assert_eq!(app.get(ME, &text(&next["access_token"])).await.status, 200);
    refresh(&app, &text(&next["refresh_token"])).await.data();
}

#[tokio::test]
async fn parallel_refreshes_get_the_same_successor() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let pool = app.database.pool().await;
    // All of them stand before the row, whoever comes first.
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("select id from session for update").fetch_all(&mut *lock).await.unwrap();
    let release = async {
        let waiting = "select count(*) from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() < 8 {}
        lock.rollback().await.unwrap();
    };
    let all = (0..8).map(|_| refresh(&app, &person.refresh_token));
    let (all, ()) = tokio::join!(futures_util::future::join_all(all), release);
    let successors: Vec<_> = all.iter().map(|reply| text(&reply.data()["refresh_token"])).collect();
    assert!(successors.iter().all(|token| *token == successors[0]), "{successors:?}");
    refresh(&app, &successors[0]).await.data();
}

#[tokio::test]
async fn the_return_of_an_old_token_ends_the_session() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let second = text(&refresh(&app, &person.refresh_token).await.data()["refresh_token"]);
    let third = text(&refresh(&app, &second).await.data()["refresh_token"]);
    refresh(&app, &person.refresh_token).await.assert_error(401, "UNAUTHENTICATED");
    refresh(&app, &third).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_that_comes_back_after_its_answer_ends_the_session() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let second = text(&refresh(&app, &person.refresh_token).await.data()["refresh_token"]);
    refresh(&app, &person.refresh_token).await.assert_error(401, "UNAUTHENTICATED");
    refresh(&app, &second).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn an_operator_may_grant_the_token_before_the_current_one_some_seconds() {
    let app = App::start_with(|config| config.refresh_grace = Duration::from_secs(600)).await;
    let person = app.register("ann@example.com").await;
    let second = text(&refresh(&app, &person.refresh_token).await.data()["refresh_token"]);
    let again = refresh(&app, &person.refresh_token).await.data();
    assert_eq!(text(&again["refresh_token"]), second);
    let pool = app.database.pool().await;
    sqlx::query("update session set rotated_at = rotated_at - interval '601 s'")
        .execute(&pool)
        .await
        .unwrap();
    refresh(&app, &person.refresh_token).await.assert_error(401, "UNAUTHENTICATED");
    refresh(&app, &second).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_logout_ends_its_session_and_no_other() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let login = json!({ "email": "ann@example.com", "password": "correct horse" });
    let other = app.post("/api/v1/auth/login", None, login).await.data();

    app.call(Method::POST, "/api/v1/auth/logout", Some(&person.token), None).await.data();
    refresh(&app, &person.refresh_token).await.assert_error(401, "UNAUTHENTICATED");
    refresh(&app, &text(&other["refresh_token"])).await.data();
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    refresh(&app, &person.token).await.assert_error(401, "UNAUTHENTICATED");
}
