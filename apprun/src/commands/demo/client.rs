//! A client of the HTTP API as an outsider would write it: JSON in, the envelope out.

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

/// Something was not as it should be; the text says what was expected and what came.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unexpected(String);

impl Unexpected {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// How much of an answer a message shows.
const SHOWN_CHARS: usize = 600;

pub(super) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    base_url: String,
    /// Sent with every request once it is set.
    pub(super) access_token: Option<String>,
}

impl Client {
    /// `url` without a path.
    pub(super) fn new(url: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            http: Http::builder(TokioExecutor::new()).build(connector),
            base_url: format!("{url}/api/v1"),
            access_token: None,
        }
    }

    /// The envelope's `data` of a GET that must answer 200.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Unexpected> {
        self.call(Method::GET, path, None, StatusCode::OK).await
    }

    /// The envelope's `data` of a POST that must answer `expected`.
    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
        expected: StatusCode,
    ) -> Result<Value, Unexpected> {
        self.call(Method::POST, path, Some(body), expected).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        expected: StatusCode,
    ) -> Result<Value, Unexpected> {
        let what = format!("{method} {path}");
        let failed = |cause: &dyn std::fmt::Display| Unexpected(format!("{what} failed: {cause}"));
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base_url));
        if let Some(token) = &self.access_token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|cause| failed(&cause))?;
        let response = self.http.request(request).await.map_err(|cause| failed(&cause))?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|cause| failed(&cause))?;
        let answer = bytes.to_bytes();
        let envelope: Option<Value> = serde_json::from_slice(&answer).ok();
        match envelope {
            Some(mut envelope) if status == expected && envelope["success"] == true => {
                Ok(envelope["data"].take())
            }
            _ => Err(Unexpected(format!(
                "{what} should have answered {expected} but answered {status}: {}",
                String::from_utf8_lossy(&answer).chars().take(SHOWN_CHARS).collect::<String>()
            ))),
        }
    }
}
