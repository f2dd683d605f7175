//! Requests to one server, each with the caller's token. A token that has run out is renewed once.

use std::{error::Error, time::Duration};

use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE, redirect};
use serde::Serialize;

use super::{Address, Answer, Session, busy::Busy};
use crate::failure::Failure;

/// For the connection to come up.
const CONNECT: Duration = Duration::from_secs(10);
/// For an answer that nobody has to wait for.
const USUAL: Duration = Duration::from_secs(60);
/// For an answer that comes when a function has run: the longest timeout of a plan, twice.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// What a request carries.
pub(crate) enum Body {
    Nothing,
    Json(String),
    /// A multipart form, with its content type.
    Form {
        content_type: String,
        bytes: Vec<u8>,
    },
}

impl Body {
    /// A value as JSON. Raw JSON inside it goes out byte for byte.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        // Maps with text keys and structs of texts and numbers, which is all there is, always work.
        Self::Json(serde_json::to_string(value).unwrap_or_default())
    }
}

/// One server, and who is asking.
pub(crate) struct Api {
    http: reqwest::Client,
    session: Session,
    /// Nobody is told of waiting.
    is_quiet: bool,
}

impl Api {
    pub(crate) fn new(session: Session, is_quiet: bool) -> Result<Self, Failure> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("apprun/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // A redirect to elsewhere is no answer of this API, and would take the token along.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| unreachable(session.address(), &error))?;
        Ok(Self { http, session, is_quiet })
    }

    pub(crate) fn address(&self) -> &Address {
        self.session.address()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.call(Method::GET, path, &Body::Nothing, USUAL).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Body) -> Result<Answer, Failure> {
        self.call(Method::POST, path, body, USUAL).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Body) -> Result<Answer, Failure> {
        self.call(Method::PUT, path, body, USUAL).await
    }

    /// A request that carries nothing.
    pub(crate) async fn send_empty(&self, method: Method, path: &str) -> Result<Answer, Failure> {
        self.call(method, path, &Body::Nothing, USUAL).await
    }

    /// A request as the caller. One that was refused for its token is sent again, and one that a busy
    /// server asks to come back with.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: &Body,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        let token = self.session.token(self).await?;
        let request = || self.request(method.clone(), path, body).timeout(patience);
        let answer = self.send(request().bearer_auth(&token)).await;
        let is_refused = matches!(&answer, Err(Failure::Refused(refusal)) if refusal.status == 401);
        if is_refused && self.session.can_renew() {
            let token = self.session.renew(self, &token).await?;
            return self.send(request().bearer_auth(&token)).await;
        }
        answer
    }

    /// A POST without a token, for what one needs before there is one.
    pub(crate) async fn post_openly(&self, path: &str, body: &Body) -> Result<Answer, Failure> {
        self.send(self.request(Method::POST, path, body).timeout(USUAL)).await
    }

    /// A GET with this token, whoever the caller is.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Result<Answer, Failure> {
        let request = self.request(Method::GET, path, &Body::Nothing);
        self.send(request.bearer_auth(token).timeout(USUAL)).await
    }

    fn request(&self, method: Method, path: &str, body: &Body) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.address()));
        match body {
            Body::Nothing => request,
            Body::Json(text) => request.header(CONTENT_TYPE, "application/json").body(text.clone()),
            Body::Form { content_type, bytes } => {
                request.header(CONTENT_TYPE, content_type).body(bytes.clone())
            }
        }
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Answer, Failure> {
        let gone = |error: reqwest::Error| unreachable(self.address(), &error);
        let busy = Busy::new(self.is_quiet);
        loop {
            // No body is a stream: every one can be sent twice.
            let again = request.try_clone();
            let response = request.send().await.map_err(gone)?;
            let status = response.status().as_u16();
            match again {
                Some(again) if busy.wait(status, response.headers()).await => request = again,
                _ => {
                    let body = response.bytes().await.map_err(gone)?;
                    return Answer::read(self.address(), status, &body);
                }
            }
        }
    }
}

/// The innermost cause says it best: "Connection refused".
fn unreachable(server: &Address, error: &reqwest::Error) -> Failure {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
    Failure::Unreachable { server: server.to_string(), cause }
}
