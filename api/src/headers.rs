//! What every answer says besides its content.

use poem::{
    Response,
    http::{HeaderName, HeaderValue, header},
};

use crate::limits::Allowance;

/// Of every answer: no guessing at types, no frames, no address passed on.
const SECURITY: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Of data: nobody keeps it, and nothing in it is ever run. The page of the documentation is none:
/// it brings its own script and style.
const OF_DATA: [(HeaderName, &str); 2] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// Adds them, with what is left of the caller's minute if that was counted.
pub(crate) fn add(response: &mut Response, allowance: Option<&Allowance>) {
    let is_data = response.content_type().is_some_and(|kind| kind.starts_with("application/json"));
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_data {
        for (name, value) in OF_DATA {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if let Some(Allowance { limit, remaining, reset_seconds }) = allowance.copied() {
        headers.insert("ratelimit-limit", limit.into());
        headers.insert("ratelimit-remaining", remaining.into());
        headers.insert("ratelimit-reset", reset_seconds.into());
    }
}
