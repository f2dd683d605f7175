//! Prints how many access tokens one core verifies in a second, beside the signature alone.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::{
    hint::black_box,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use api::Tokens;
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto, encode};
use serde_json::json;
use shared::{
    config::Secret,
    domain::{SessionId, TenantId, UserId},
};

const SECRET: &str = "a secret of at least thirty-two bytes";
const MEASURED_FOR: Duration = Duration::from_secs(3);

fn main() {
    let (tokens, key) =
        (Tokens::new(&Secret::new(SECRET)), EncodingKey::from_secret(SECRET.as_bytes()));
    let token = token(&key);
    assert!(tokens.check_access(&token).is_some(), "the token of the bench is not a good one");
    let (message, _) = token.rsplit_once('.').unwrap();
    println!("one core, a second");
    let signature = || crypto::sign(message.as_bytes(), &key, Algorithm::HS256).is_ok();
    print("signatures alone (HMAC-SHA256)", signature);
    print("access tokens verified, promised ≥ 50,000", || tokens.check_access(&token).is_some());
}

/// What `/auth/login` would give.
fn token(key: &EncodingKey) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({
        "iss": "apprun", "aud": "apprun:access", "sub": UserId::new().to_string(),
        "tenant": TenantId::new().to_string(), "session": SessionId::new().to_string(),
        "iat": now, "exp": now + 900,
    });
    encode(&Header::new(Algorithm::HS256), &claims, key).unwrap()
}

fn print(what: &str, work: impl Fn() -> bool) {
    let (started, mut done) = (Instant::now(), 0_u64);
    while started.elapsed() < MEASURED_FOR {
        for _ in 0..100 {
            assert!(black_box(work()));
        }
        done += 100;
    }
    println!("{what:<44}{:>10.0}", done as f64 / started.elapsed().as_secs_f64());
}
