//! An OpenID Connect issuer: publishes keys over HTTP and signs tokens with them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::KeyPace;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use shared::config::OutsideIssuer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) const ISSUER: &str = "https://login.example.com/realm";
pub(crate) const AUDIENCE: &str = "apprun";

/// Keys are asked for as often as a test wants.
pub(crate) const NO_FLOOR: KeyPace = KeyPace {
    floor: Duration::ZERO,
    refresh_after: Duration::from_secs(600),
    good_for: Duration::from_secs(3600),
};

/// A private key and what it is called.
pub(crate) struct Key {
    pub(crate) id: &'static str,
    pub(crate) algorithm: Algorithm,
    pub(crate) sign: EncodingKey,
}

impl Key {
    /// Of RSA, always the same one: making one takes long.
    pub(crate) fn rsa(id: &'static str) -> Self {
        let sign = EncodingKey::from_rsa_der(include_bytes!("keys/rsa.der"));
        Self { id, algorithm: Algorithm::RS256, sign }
    }

    /// On the curve P-256, always the same one.
    pub(crate) fn ec(id: &'static str) -> Self {
        let sign = EncodingKey::from_ec_der(include_bytes!("keys/ec.der"));
        Self { id, algorithm: Algorithm::ES256, sign }
    }

    /// A fresh one on Ed25519.
    pub(crate) fn ed(id: &'static str) -> Self {
        // PKCS #8 around the 32 bytes (RFC 8410, section 7).
        let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        der.extend(rand::random::<[u8; 32]>());
        Self { id, algorithm: Algorithm::EdDSA, sign: EncodingKey::from_ed_der(&der) }
    }

    /// As the issuer publishes it.
    pub(crate) fn public(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.sign, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.id);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(self.id, claims)
    }

    /// A token that names another key.
    pub(crate) fn sign_as(&self, id: &str, claims: &Value) -> String {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.sign).unwrap()
    }
}

/// What a good token says.
pub(crate) fn claims(subject: &str) -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300 })
}

/// The server that publishes the keys. Ends with its value.
pub(crate) struct Issuer {
    address: SocketAddr,
    served: Arc<Mutex<Served>>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Served {
    keys: Vec<Value>,
    is_down: bool,
    asked: usize,
}

impl Issuer {
    pub(crate) async fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(Mutex::new(Served::default()));
        let server = tokio::spawn(serve(listener, served.clone()));
        let issuer = Self { address, served, server };
        issuer.publish(keys);
        issuer
    }

    /// From now on these are its keys.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        self.publish_as_is(keys.iter().map(|key| key.public()).collect());
    }

    pub(crate) fn publish_as_is(&self, keys: Vec<Value>) {
        self.served.lock().unwrap().keys = keys;
    }

    /// Answers 503 from now on, or no longer.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.served.lock().unwrap().is_down = is_down;
    }

    /// How often it was asked for its keys.
    pub(crate) fn asked(&self) -> usize {
        self.served.lock().unwrap().asked
    }

    /// What a server is configured with that trusts it.
    pub(crate) fn settings(&self) -> Option<OutsideIssuer> {
        Some(OutsideIssuer {
            jwks_url: format!("http://{}/keys", self.address),
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
        })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, served: Arc<Mutex<Served>>) {
    while let Ok((stream, _)) = listener.accept().await {
        answer(stream, &served).await;
    }
}

async fn answer(mut stream: TcpStream, served: &Mutex<Served>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let (status, body) = {
        let mut served = served.lock().unwrap();
        served.asked += 1;
        match served.is_down {
            true => ("503 Service Unavailable", String::new()),
            false => ("200 OK", json!({ "keys": served.keys }).to_string()),
        }
    };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.unwrap();
}
