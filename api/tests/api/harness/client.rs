//! A client that sends one request over one connection and reads the whole answer.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// What a successful answer holds; checks the envelope around it.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        let json = self.json();
        assert_eq!(json["success"], true, "{json}");
        assert_eq!(json["code"], self.status.as_u16(), "{json}");
        self.check_request_id(&json);
        json["data"].clone()
    }

    /// What a failed answer holds; checks the envelope around it.
    #[track_caller]
    pub(crate) fn error(&self) -> Value {
        let json = self.json();
        assert_eq!(json["success"], false, "{json}");
        assert_eq!(json["code"], self.status.as_u16(), "{json}");
        assert!(json["error"]["message"].is_string(), "{json}");
        assert!(json["error"]["details"].is_object(), "{json}");
        self.check_request_id(&json);
        json["error"].clone()
    }

    /// Checks that this is this failure.
    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: &str) -> Value {
        let error = self.error();
        assert_eq!((self.status.as_u16(), &error["code"]), (status, &code.into()), "{error}");
        error
    }

    /// The names of the fields that a validation failure complains about.
    #[track_caller]
    pub(crate) fn wrong_fields(&self) -> Vec<String> {
        let error = self.assert_error(400, "VALIDATION_FAILED");
        let fields = error["details"]["fields"].as_array().cloned().unwrap_or_default();
        fields.iter().map(|field| super::text(&field["field"])).collect()
    }

    #[track_caller]
    fn check_request_id(&self, json: &Value) {
        let header = self.headers.get("x-request-id").expect("every answer has a request id");
        assert_eq!(json["request_id"].as_str(), header.to_str().ok());
    }
}

/// Sends one request and reads its answer.
pub(crate) async fn send(address: SocketAddr, request: Request<impl Into<Bytes>>) -> Reply {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    parts.headers.insert("host", address.to_string().parse().unwrap());
    let request = Request::from_parts(parts, Full::new(body.into()));
    let response = sender.send_request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    connection.abort();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
