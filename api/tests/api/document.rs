//! The OpenAPI document is kept, complete, and true about who must show a token.

use std::sync::LazyLock;

use hyper::Method;
use serde_json::Value;
use shared::domain::{BuildId, ExecutionId, FunctionId, InvitationId, ProjectId, TokenId, UserId};

use crate::harness::{App, Reply};

/// Endpoints that need no token.
const OPEN: [&str; 5] = [
    "post /api/v1/auth/register",
    "post /api/v1/auth/login",
    "post /api/v1/auth/refresh",
    "get /health",
    "get /ready",
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&api::openapi()).unwrap());

pub(crate) fn document() -> Value {
    DOCUMENT.clone()
}

/// What the document says of a request; None when it knows no such path or method.
pub(crate) fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let segments = |path: &str| path.trim_end_matches('/').split('/').count();
    let fits = |template: &str| {
        let mut pairs = template.split('/').zip(path.split('/'));
        segments(template) == segments(path)
            && pairs.all(|(part, given)| part.starts_with('{') || part == given)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| fits(template));
    let (_, methods) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    methods.get(method.as_str().to_lowercase())
}

/// Checks that an answer has a status that the document names.
#[track_caller]
pub(crate) fn assert_documented(operation: Option<&Value>, reply: &Reply) {
    let Some(operation) = operation else { return };
    let documented = &operation["responses"][reply.status.as_str()];
    assert!(!documented.is_null(), "undocumented for {}: {reply:?}", operation["operationId"]);
}

/// Every endpoint of the document: method, path, description.
pub(crate) fn endpoints(document: &Value) -> Vec<(String, String, Value)> {
    let mut endpoints = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, endpoint) in methods.as_object().unwrap() {
            endpoints.push((method.clone(), path.clone(), endpoint.clone()));
        }
    }
    assert!(endpoints.len() > 15, "the walk must find them");
    endpoints
}

#[test]
fn the_kept_document_is_the_served_one() {
    let kept = include_str!("../../openapi.json");
    assert!(
        kept == api::openapi(),
        "run: cargo run -q -p api --example openapi > api/openapi.json"
    );
}

#[tokio::test]
async fn document_and_docs_are_served() {
    let app = App::start().await;
    let served = app.call(Method::GET, "/openapi.json", None, None).await;
    assert_eq!(served.json(), document());
    let docs = app.call(Method::GET, "/docs", None, None).await;
    assert_eq!(docs.status, 200);
    assert!(docs.body.contains("createFunction"));
    assert!(!docs.body.contains("src=\"http"), "the page must work without the internet");
}

#[tokio::test]
async fn every_endpoint_refuses_whoever_shows_no_token() {
    let app = App::start().await;
    for (method, path, endpoint) in endpoints(&document()) {
        let name = format!("{method} {path}");
        let open = OPEN.contains(&name.as_str());
        assert_eq!(endpoint["security"].is_null(), open, "{name} in the document");
        let path = path
            .replace("{project_id}", &ProjectId::new().to_string())
            .replace("{function_id}", &FunctionId::new().to_string())
            .replace("{build_id}", &BuildId::new().to_string())
            .replace("{execution_id}", &ExecutionId::new().to_string())
            .replace("{user_id}", &UserId::new().to_string())
            .replace("{invitation_id}", &InvitationId::new().to_string())
            .replace("{token_id}", &TokenId::new().to_string());
        let method = method.to_uppercase().parse().unwrap();
        let reply = app.call(method, &path, None, None).await;
        if !open {
            reply.assert_error(401, "UNAUTHENTICATED");
        }
        assert_eq!(reply.status == 401, !open, "{name}: {reply:?}");
    }
}

#[test]
fn every_endpoint_has_examples_and_error_answers() {
    let document = document();
    for (method, path, endpoint) in endpoints(&document) {
        let name = format!("{method} {path}");
        assert!(endpoint["summary"].is_string(), "{name} has no summary");
        assert!(endpoint["operationId"].is_string(), "{name} has no operation id");
        if let Some(body) = endpoint.get("requestBody") {
            assert!(has_example(&document, body), "{name}: the request has no example");
        }
        let answers = endpoint["responses"].as_object().unwrap();
        for (status, answer) in answers {
            let answer = resolved(&document, answer);
            assert!(has_example(&document, answer), "{name}: {status} has no example");
            assert!(answer["headers"]["X-Request-Id"].is_object(), "{name}: {status}");
        }
        assert!(answers.contains_key("400"), "{name} without 400");
    }
}

fn has_example(document: &Value, described: &Value) -> bool {
    let content = &described["content"]["application/json"];
    resolved(document, &content["schema"])["example"].is_object() || content["example"].is_object()
}

/// What a reference stands for; anything else is itself.
fn resolved<'a>(document: &'a Value, described: &'a Value) -> &'a Value {
    match described["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => described,
    }
}

#[test]
fn forms_have_an_example_and_calls_name_their_headers() {
    let document = document();
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    for (path, method) in
        [("/api/v1/functions", "post"), ("/api/v1/functions/{function_id}", "put")]
    {
        let body = &operation(path, method)["requestBody"]["content"]["multipart/form-data"];
        let example = &body["schema"]["example"];
        assert!(example["function"]["name"].is_string(), "{method} {path}: {example}");
        assert!(example["function"].get("code").is_none(), "the archive is the source: {example}");
        assert!(example["source"].is_string(), "{example}");
    }
    let answers = operation("/api/v1/functions/{function_id}/invoke", "post")["responses"].clone();
    for (status, header) in [
        ("200", "x-execution-id"),
        ("200", "x-executed-version"),
        ("202", "preference-applied"),
        ("504", "X-Execution-Id"),
        ("500", "X-Executed-Version"),
    ] {
        let answer = resolved(&document, &answers[status]);
        let names = answer["headers"].as_object().unwrap();
        let found = names.keys().any(|name| name.eq_ignore_ascii_case(header));
        assert!(found, "{status} without {header}: {names:?}");
    }
}
