//! What a callback says, and its signature after Standard Webhooks (standardwebhooks.com): the id
//! names the execution and is the same in every attempt, and so is the body.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use sha2::Sha256;
use shared::{
    domain::{ExecutionId, FunctionId, JsonText, RequestId},
    store::callback::EndedExecution,
};
use time::OffsetDateTime;

#[derive(Serialize)]
struct Message<'a> {
    r#type: String,
    #[serde(with = "time::serde::rfc3339")]
    timestamp: OffsetDateTime,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    execution_id: ExecutionId,
    function_id: FunctionId,
    version: String,
    status: &'static str,
    reason: Option<&'static str>,
    /// Byte for byte as the function wrote it.
    output: Option<&'a JsonText>,
    error: Option<&'a str>,
    /// Milliseconds.
    duration: Option<f64>,
    attempt: i32,
    request_id: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    queued_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    completed_at: OffsetDateTime,
}

/// The body: `execution.completed`, `execution.failed` or `execution.cancelled`.
pub(super) fn body(id: ExecutionId, ended: &EndedExecution) -> Result<String, serde_json::Error> {
    let message = Message {
        r#type: format!("execution.{}", ended.status),
        timestamp: ended.completed_at,
        data: Data {
            execution_id: id,
            function_id: ended.function,
            version: ended.version.to_string(),
            status: ended.status.as_str(),
            reason: ended.reason.map(|reason| reason.as_str()),
            output: ended.output.as_ref(),
            error: ended.error.as_deref(),
            duration: ended.run_ms.map(|measured| (measured * 1000.0).round() / 1000.0),
            attempt: ended.attempt,
            request_id: ended.request,
            queued_at: ended.queued_at,
            started_at: ended.started_at,
            completed_at: ended.completed_at,
        },
    };
    serde_json::to_string(&message)
}

/// The headers of one attempt: signed anew each time, as the time of sending is part of it.
pub(super) fn headers(
    id: ExecutionId,
    sent_at: OffsetDateTime,
    body: &str,
    secrets: &[Vec<u8>],
) -> HeaderMap {
    let (id, timestamp) = (id.to_string(), sent_at.unix_timestamp().to_string());
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures: Vec<_> = secrets.iter().map(|secret| signature(secret, &signed)).collect();
    let texts = [
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures.join(" ")),
    ];
    let header = |(name, text): (&'static str, String)| {
        HeaderValue::try_from(text).ok().map(|value| (HeaderName::from_static(name), value))
    };
    texts.into_iter().filter_map(header).collect()
}

fn signature(secret: &[u8], signed: &str) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(signed.as_bytes());
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the specification's own libraries are tested with.
    #[test]
    fn a_signature_is_the_one_that_receivers_compute() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&secret, signed), expected);
    }

    #[test]
    fn after_a_rotation_both_secrets_sign() {
        let id = ExecutionId::new();
        let headers = headers(id, OffsetDateTime::UNIX_EPOCH, "{}", &[vec![1; 32], vec![2; 32]]);
        let signatures = headers["webhook-signature"].to_str().unwrap();
        let expected = [vec![1; 32], vec![2; 32]].map(|it| signature(&it, &format!("{id}.0.{{}}")));
        assert_eq!(signatures, expected.join(" "));
        assert_eq!(headers["webhook-id"], id.to_string().as_str());
        assert_eq!(headers["webhook-timestamp"], "0");
    }
}
