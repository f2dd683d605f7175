//! Talks to the HTTP API with curl, the way a reader of the README does.

use std::process::Command;

use serde_json::Value;

/// A status and the JSON that came with it.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null if there was none.
    pub body: Value,
}

/// Knows where the API is and who is asking.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    token: Option<String>,
}

impl Client {
    /// Nobody in particular; `url` has no path.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), token: None }
    }

    /// A new account, logged in.
    pub fn signed_up(url: &str, email: &str) -> Self {
        let nobody = Self::new(url);
        let credentials =
            serde_json::json!({ "email": email, "password": "correct horse battery staple" });
        let registered = nobody.post("/api/v1/auth/register", &credentials);
        assert_eq!(registered.status, 201, "{registered:?}");
        nobody.logged_in(email)
    }

    /// An account that exists, logged in.
    pub fn logged_in(&self, email: &str) -> Self {
        let credentials =
            serde_json::json!({ "email": email, "password": "correct horse battery staple" });
        let tokens = self.post("/api/v1/auth/login", &credentials);
        assert_eq!(tokens.status, 200, "{tokens:?}");
        let token = tokens.body["data"]["access_token"].as_str().unwrap().to_owned();
        Self { url: self.url.clone(), token: Some(token) }
    }

    /// GET of a path.
    pub fn get(&self, path: &str) -> Answer {
        self.call(path, None)
    }

    /// POST of a JSON body to a path.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(path, Some(body))
    }

    fn call(&self, path: &str, body: Option<&Value>) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]);
        if let Some(token) = &self.token {
            curl.args(["--header", &format!("authorization: Bearer {token}")]);
        }
        if let Some(body) = body {
            curl.args(["--header", "content-type: application/json"]);
            curl.args(["--data", &body.to_string()]);
        }
        let output = curl.arg(format!("{}{path}", self.url)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "curl {path}: {output:?}");
        let (text, status) = said.rsplit_once('\n').unwrap();
        Answer {
            status: status.parse().unwrap(),
            body: serde_json::from_str(text).unwrap_or(Value::Null),
        }
    }
}
