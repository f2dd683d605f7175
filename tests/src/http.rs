//! Talks to the HTTP API with curl, the way a reader of the README does.

use std::process::Command;

use serde_json::{Value, json};

use crate::running::until;

const HANDLER: &str = r#"package main

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	return map[string]interface{}{"hello": "there"}, nil
}
"#;

/// Between a body and what curl says about it.
const AFTER_BODY: &str = "\n--after-body--";

/// A status and the JSON that came with it.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body; null if there was none.
    pub body: Value,
    /// The headers, by name in lower case: each an array of texts.
    pub headers: Value,
}

impl Answer {
    /// A header that comes once.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name][0].as_str().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

/// Knows where the API is and who is asking.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    token: Option<String>,
    refresh_token: Option<String>,
    header: Option<String>,
}

impl Client {
    /// Nobody in particular; `url` has no path.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), token: None, refresh_token: None, header: None }
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
        let token = |name| tokens.body["data"][name].as_str().map(str::to_owned);
        let (token, refresh_token) = (token("access_token"), token("refresh_token"));
        Self { token, refresh_token, ..self.clone() }
    }

    /// What it shows of itself and what it could renew that with; None of nobody in particular.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.token.iter().chain(&self.refresh_token).map(String::as_str)
    }

    /// The same caller at another server.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// The same, sending this header (`name: value`) too.
    pub fn sending(&self, header: &str) -> Self {
        Self { header: Some(header.to_owned()), ..self.clone() }
    }

    /// GET of a path.
    pub fn get(&self, path: &str) -> Answer {
        self.ask(path, None)
    }

    /// POST of a JSON body to a path.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(path, Some(body))
    }

    /// Creates a function in a project of its own and waits until it is built: its id.
    pub fn deploy(&self) -> String {
        self.deploy_go(HANDLER)
    }

    /// The same, with this source in Go.
    pub fn deploy_go(&self, code: &str) -> String {
        self.deploy_with(code, &json!({}))
    }

    /// The same, with secrets: an object, name to value.
    pub fn deploy_with(&self, code: &str, secrets: &Value) -> String {
        let project = self.post("/api/v1/projects", &json!({ "name": "p" }));
        let project_id = &project.body["data"]["project_id"];
        let mut new = json!({
            "project_id": project_id, "name": "f", "runtime": "go1.21", "code": code,
        });
        if !secrets.as_object().unwrap().is_empty() {
            new["secrets"] = secrets.clone();
        }
        let function = self.post("/api/v1/functions", &new);
        assert_eq!(function.status, 201, "{function:?}");
        let id = function.body["data"]["function_id"].as_str().unwrap().to_owned();
        until(|| {
            let function = self.get(&format!("/api/v1/functions/{id}")).body;
            assert_ne!(function["data"]["status"], "failed", "{function}");
            function["data"]["status"] == "active"
        });
        id
    }

    /// Calls a function and returns the execution, however it ended.
    pub fn call(&self, function: &str) -> Value {
        let path = format!("/api/v1/functions/{function}/invoke-async");
        let accepted = self.post(&path, &json!({ "input": {} }));
        assert_eq!(accepted.status, 202, "{accepted:?}");
        let id = accepted.body["data"]["execution_id"].as_str().unwrap();
        let ended = self.get(&format!("/api/v1/functions/executions/{id}?wait=60s"));
        ended.body["data"].clone()
    }

    /// GET of a path whose answer is no JSON.
    pub fn text(&self, path: &str) -> String {
        self.carry_out(Command::new("curl").args(["--silent", "--show-error"]), path)
    }

    fn carry_out(&self, curl: &mut Command, path: &str) -> String {
        let output = curl.arg(format!("{}{path}", self.url)).output().unwrap();
        assert!(output.status.success(), "curl {path}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn ask(&self, path: &str, body: Option<&Value>) -> Answer {
        let mut curl = Command::new("curl");
        let after = format!("{AFTER_BODY}%{{http_code}}\n%{{header_json}}");
        curl.args(["--silent", "--show-error", "--write-out", &after]);
        if let Some(header) = &self.header {
            curl.args(["--header", header]);
        }
        if let Some(token) = &self.token {
            curl.args(["--header", &format!("authorization: Bearer {token}")]);
        }
        if let Some(body) = body {
            curl.args(["--header", "content-type: application/json"]);
            curl.args(["--data", &body.to_string()]);
        }
        let said = self.carry_out(&mut curl, path);
        let (text, after) = said.rsplit_once(AFTER_BODY).unwrap();
        let (status, headers) = after.split_once('\n').unwrap();
        Answer {
            status: status.parse().unwrap(),
            headers: serde_json::from_str(headers).unwrap(),
            body: serde_json::from_str(text).unwrap_or(Value::Null),
        }
    }
}
