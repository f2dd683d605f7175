//! Requests a minute: counted per tenant and per address, over one process or several.

use serde_json::json;
use shared::{
    config::{RateLimits, Secret},
    domain::Plan,
};

use crate::harness::{App, Reply, redis::Redis, send};

const ME: &str = "/api/v1/auth/me";
const LOGIN: &str = "/api/v1/auth/login";
const LIMITS: RateLimits = RateLimits { free: 3, paid: 5, enterprise: 7, anonymous: 100 };

fn header(reply: &Reply, name: &str) -> u32 {
    reply.headers[name].to_str().unwrap().parse().unwrap()
}

/// Waits for a fresh minute if this one is nearly over: what is counted must fall into one.
async fn in_one_minute() {
    let second = time::OffsetDateTime::now_utc().second();
    if second > 40 {
        tokio::time::sleep(std::time::Duration::from_secs(u64::from(61 - second))).await;
    }
}

#[tokio::test]
async fn a_tenant_gets_the_requests_of_its_plan_and_is_told_how_many_are_left() {
    let app = App::start_with(|config| {
        config.rate_limits = Some(LIMITS);
        config.default_plan = Plan::Paid;
    })
    .await;
    let (ann, bob) = (app.register("ann@a.b").await, app.register("bob@a.b").await);
    in_one_minute().await;
    for remaining in (0..5).rev() {
        let reply = app.get(ME, &ann.token).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(header(&reply, "ratelimit-limit"), 5);
        assert_eq!(header(&reply, "ratelimit-remaining"), remaining);
        assert!((1..=60).contains(&header(&reply, "ratelimit-reset")));
    }
    let refused = app.get(ME, &ann.token).await;
    let error = refused.assert_error(429, "RATE_LIMITED");
    assert_eq!(error["details"]["limit"], 5);
    assert_eq!(header(&refused, "ratelimit-remaining"), 0);
    assert!((1..=60).contains(&header(&refused, "retry-after")));
    let usage = app.get("/api/v1/usage", &bob.token).await.data();
    let first_of_bob = serde_json::json!({ "used": 1, "limit": 5 });
    assert_eq!(usage["requests_per_minute"], first_of_bob, "another tenant is not held up");
    let health = app.call(hyper::Method::GET, "/health", None, None).await;
    assert!(!health.headers.contains_key("ratelimit-limit"));
}

#[tokio::test]
async fn whoever_shows_no_valid_token_is_counted_by_address() {
    let limits = RateLimits { anonymous: 4, ..LIMITS };
    let app = App::start_with(|config| config.rate_limits = Some(limits)).await;
    in_one_minute().await;
    for email in ["a@b.c", "b@b.c"] {
        let login = json!({ "email": email, "password": "wrong horse" });
        app.post(LOGIN, None, login).await.assert_error(401, "UNAUTHENTICATED");
    }
    app.get(ME, "a guess").await.assert_error(401, "UNAUTHENTICATED");
    app.get(ME, "apprun_pt_guess").await.assert_error(401, "UNAUTHENTICATED");
    app.get(ME, "one more").await.assert_error(429, "RATE_LIMITED");
    let login = json!({ "email": "a@b.c", "password": "wrong horse" });
    app.post(LOGIN, None, login).await.assert_error(429, "RATE_LIMITED");
}

#[tokio::test]
async fn the_passwords_of_one_account_are_not_guessed_for_long() {
    let app = App::start_with(|config| config.rate_limits = Some(LIMITS)).await;
    app.register("ann@a.b").await;
    in_one_minute().await;
    let login = |password: &str| {
        let body = json!({ "email": "Ann@a.b", "password": password });
        let app = &app;
        async move { app.post(LOGIN, None, body).await }
    };
    let guesses = futures_util::future::join_all((0..20).map(|_| login("wrong horse"))).await;
    assert!(guesses.iter().all(|reply| matches!(reply.status.as_u16(), 401 | 429)));
    let right = login("correct horse").await;
    right.assert_error(429, "RATE_LIMITED");
    let other = json!({ "email": "bob@a.b", "password": "wrong horse" });
    app.post(LOGIN, None, other).await.assert_error(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn two_processes_count_as_one_through_redis_and_each_by_itself_without_it() {
    let redis = Redis::start().await;
    let limits = RateLimits { free: 10, ..LIMITS };
    let app = App::start_with(|config| {
        config.rate_limits = Some(limits);
        config.redis_url = Some(Secret::new(redis.url.as_str()));
    })
    .await;
    let second = app.another().await;
    let ann = app.register("ann@a.b").await;
    in_one_minute().await;

    let calls = (0..20).map(|n| if n % 2 == 0 { &app } else { &second });
    let replies =
        futures_util::future::join_all(calls.map(|process| process.get(ME, &ann.token))).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(passed, 10, "exact over both");

    // Their own counts stand at ten each, so what Redis said no longer counts, and nothing waits.
    let bob = app.register("bob@a.b").await;
    redis.freeze();
    let calls = (0..30).map(|n| if n % 2 == 0 { &app } else { &second });
    let replies =
        futures_util::future::join_all(calls.map(|process| process.get(ME, &bob.token))).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(passed, 20, "ten in each process");
    redis.thaw();
    drop(redis);
    let cid = app.register("cid@a.b").await;
    assert_eq!(app.get(ME, &cid.token).await.status, 200, "no outage without Redis");
}

#[tokio::test]
async fn whoever_comes_through_a_trusted_proxy_is_counted_by_their_own_address() {
    let limits = RateLimits { anonymous: 2, ..LIMITS };
    let ask = async |app: &App, forwarded: &str| {
        let request = hyper::Request::post(LOGIN).header("x-forwarded-for", forwarded);
        let request = request.header("content-type", "application/json");
        send(app.address, request.body("{}".to_owned()).unwrap()).await.status.as_u16()
    };
    let behind = App::start_with(|config| {
        config.rate_limits = Some(limits);
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let open = App::start_with(|config| config.rate_limits = Some(limits)).await;
    in_one_minute().await;
    for other in 1..=4 {
        assert_eq!(ask(&behind, &format!("198.51.100.{other}")).await, 400, "each has its own");
    }
    let spoofed = [1, 2, 3].map(|other| format!("203.0.113.{other}, 198.51.100.9"));
    for (sent, expected) in spoofed.iter().zip([400, 400, 429]) {
        assert_eq!(ask(&behind, sent).await, expected, "{sent}");
    }
    for (other, expected) in [(1, 400), (2, 400), (3, 429)] {
        let status = ask(&open, &format!("198.51.100.{other}")).await;
        assert_eq!(status, expected, "nobody is trusted here");
    }
}

#[tokio::test]
async fn the_audit_record_names_the_caller_behind_a_trusted_proxy() {
    let app = App::start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let ann = app.register("ann@a.b").await;
    let request = hyper::Request::post("/api/v1/projects")
        .header("authorization", format!("Bearer {}", ann.token))
        .header("content-type", "application/json")
        .header("forwarded", "for=198.51.100.7;proto=https");
    let body = json!({ "name": "shop" }).to_string();
    assert_eq!(send(app.address, request.body(body).unwrap()).await.status, 201);
    let record = app.get("/api/v1/audit?action=project.create", &ann.token).await.data();
    assert_eq!(record["items"][0]["address"], "198.51.100.7");
}
