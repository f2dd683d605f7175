//! The OpenAPI document: what the declarations of the routes give, and what holds for many routes at
//! once. Which failures an operation answers with follows from what it is: one with a body can be
//! sent too large a one, one behind a token can be asked without. The tests insist on it: no answer
//! of theirs has a status that is not in the document.

use serde_json::{Map, Value, json};
use shared::domain::ErrorCode;

use crate::examples::REQUEST;

/// Where no idempotency key is read: answers that hold secrets are not kept.
const WITHOUT_KEY: &str = "/api/v1/auth/";

/// Operations without a body or a path of their own that name something else that may not be there.
const NAMING_OTHERS: [&str; 4] = ["register", "login", "switchTenant", "acceptInvitation"];
/// Operations without an idempotency key that find things in another state than they need.
const CONFLICTING: [&str; 5] =
    ["register", "renameProject", "updateFunction", "changeMember", "removeMember"];
/// Open operations that can refuse somebody's token, or what stands for one.
const CHECKING: [&str; 2] = ["login", "refresh"];
/// Open operations that can refuse somebody.
const REFUSING: [&str; 2] = ["register", "login"];

/// Statuses with the code that stands in their example, what it says, and what they mean.
const FAILURES: [(u16, ErrorCode, &str, &str); 13] = [
    (400, ErrorCode::ValidationFailed, "'name' is required", "The request is malformed"),
    (401, ErrorCode::Unauthenticated, "send an access token", "There is no valid token"),
    (403, ErrorCode::Forbidden, "this needs the role 'admin'", "The token may not do this"),
    (404, ErrorCode::NotFound, "there is no such project", "It is not there for this caller"),
    (
        408,
        ErrorCode::RequestTimeout,
        "the body did not arrive within 30 s",
        "The body came too slowly",
    ),
    (
        409,
        ErrorCode::Conflict,
        "there is a function 'hello' already",
        "Something is in another state",
    ),
    (413, ErrorCode::PayloadTooLarge, "the body is too large", "The body is too large"),
    (415, ErrorCode::UnsupportedMediaType, "send application/json", "The body is of another type"),
    (
        422,
        ErrorCode::IdempotencyKeyReused,
        "the key belongs to another request",
        "The idempotency key belongs to another request",
    ),
    (
        429,
        ErrorCode::RateLimited,
        "more than the 100 requests a minute",
        "A limit of the plan is reached",
    ),
    (
        500,
        ErrorCode::Internal,
        "something went wrong on our side",
        "The function failed, or the platform did",
    ),
    (
        503,
        ErrorCode::Overloaded,
        "the database is away or busy",
        "The platform is full, or not ready",
    ),
    (
        504,
        ErrorCode::FuncExecTimeout,
        "the function ran longer than its 30 s",
        "The function ran into its time limit",
    ),
];

/// The whole document from that of the routes.
pub(crate) fn complete(routes: &str) -> Option<String> {
    let mut document: Value = serde_json::from_str(routes).ok()?;
    let mut bodies = Vec::new();
    for (path, operations) in document["paths"].as_object_mut()? {
        for (method, operation) in operations.as_object_mut()? {
            if let Some(body) = operation.get("requestBody") {
                references(body, &mut bodies);
            }
            let facts = Facts::of(method, path, operation);
            describe(operation.as_object_mut()?, &facts);
        }
    }
    close_bodies(&mut document["components"]["schemas"], bodies);
    let components = document["components"].as_object_mut()?;
    components.insert("responses".to_owned(), failures());
    components.insert("headers".to_owned(), headers());
    components.insert("parameters".to_owned(), json!({ "IdempotencyKey": idempotency_key() }));
    Some(format!("{document:#}\n"))
}

/// What decides how an operation can fail.
struct Facts {
    id: String,
    needs_token: bool,
    has_body: bool,
    names_something: bool,
    takes_key: bool,
    /// About this process alone: neither counted nor refused.
    is_health: bool,
}

impl Facts {
    fn of(method: &str, path: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let is_id = |it: &Value| it["name"].as_str().is_some_and(|name| name.ends_with("_id"));
        Self {
            id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
            needs_token: operation.get("security").is_some(),
            has_body: operation.get("requestBody").is_some(),
            names_something: path.contains('{') || parameters.iter().any(is_id),
            takes_key: method == "post" && !path.starts_with(WITHOUT_KEY),
            is_health: !path.starts_with("/api/"),
        }
    }

    /// Whether the operation can answer with this status.
    fn can_fail_with(&self, status: u16) -> bool {
        let is_one_of = |operations: &[&str]| operations.contains(&self.id.as_str());
        match status {
            401 => self.needs_token || is_one_of(&CHECKING),
            403 => self.needs_token || is_one_of(&REFUSING),
            404 => self.names_something || self.id == "createFunction" || is_one_of(&NAMING_OTHERS),
            409 => self.takes_key || is_one_of(&CONFLICTING),
            408 | 413 => self.has_body || self.takes_key,
            415 => self.has_body,
            422 => self.takes_key,
            429 => !self.is_health,
            504 => self.id == "invokeFunction",
            500 | 503 => self.id != "health",
            _ => true,
        }
    }
}

fn describe(operation: &mut Map<String, Value>, facts: &Facts) {
    if facts.takes_key {
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
        }
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
        return;
    };
    responses.retain(|status, _| !status.ends_with("XX"));
    for response in responses.values_mut() {
        response["headers"] = success_headers(&response["headers"], facts);
    }
    for (status, ..) in FAILURES.iter().filter(|(status, ..)| facts.can_fail_with(*status)) {
        let failure = json!({ "$ref": format!("#/components/responses/{status}") });
        responses.insert(status.to_string(), failure);
    }
}

fn success_headers(own: &Value, facts: &Facts) -> Value {
    let mut names = vec!["X-Request-Id"];
    if !facts.is_health {
        names.extend(RATE_LIMIT);
    }
    if facts.takes_key {
        names.push("Idempotency-Replayed");
    }
    let mut all = header_references(&names);
    let own = own.as_object().into_iter().flatten();
    all.extend(
        own.filter(|(name, _)| *name != "X-REQUEST-ID").map(|(n, it)| (n.clone(), it.clone())),
    );
    Value::Object(all)
}

const RATE_LIMIT: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

fn header_references(names: &[&str]) -> Map<String, Value> {
    let reference = |name: &&str| {
        ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))
    };
    names.iter().map(reference).collect()
}

fn failures() -> Value {
    let failures = FAILURES.iter().map(|(status, code, message, meaning)| {
        let example = json!({
            "success": false,
            "code": status,
            "error": {
                "code": code, "message": message, "details": {},
                "docs": format!("/docs/errors/{code}"),
            },
            "request_id": REQUEST,
        });
        let mut names = vec!["X-Request-Id"];
        names.extend(RATE_LIMIT);
        match status {
            401 => names.push("WWW-Authenticate"),
            409 | 429 | 503 => names.push("Retry-After"),
            500 | 504 => names.extend(["X-Execution-Id", "X-Executed-Version"]),
            _ => {}
        }
        let schema = json!({ "$ref": "#/components/schemas/ErrorAnswer" });
        let response = json!({
            "description": meaning,
            "headers": header_references(&names),
            "content": { "application/json": { "schema": schema, "example": example } },
        });
        (status.to_string(), response)
    });
    Value::Object(failures.collect())
}

fn headers() -> Value {
    let count = |description: &str| json!({ "description": description, "schema": { "type": "integer", "minimum": 0 } });
    let text =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "X-Request-Id": text("Leads to the log."),
        "RateLimit-Limit": count("Requests a minute, where they are limited."),
        "RateLimit-Remaining": count("What is left of this minute."),
        "RateLimit-Reset": count("Seconds until the next minute begins."),
        "Retry-After": count("Seconds after which another attempt makes sense, where one does."),
        "X-Execution-Id": text("The id of the call, where one was made."),
        "X-Executed-Version": text("The version that ran, where one did."),
        "WWW-Authenticate": text("What kind of token is wanted: `Bearer`."),
        "Idempotency-Replayed": {
            "description": "There, and `true`, when this is the answer to an earlier request with the \
                            same key.",
            "schema": { "type": "string", "enum": ["true"] },
        },
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "Chosen by the client, 1 to 255 printable ASCII characters, with or without quotes. \
                        The same request with the same key within a day gets the first answer again; \
                        another request with the same key gets 422.",
        "schema": {
            "type": "string", "minLength": 1, "maxLength": 255,
            "pattern": "^(?!\"\"$)[ -~]*[!-~][ -~]*$",
        },
    })
}

/// A body holds what is described and nothing else; a field that nobody reads is refused.
fn close_bodies(schemas: &mut Value, mut names: Vec<String>) {
    let mut closed = Vec::new();
    while let Some(name) = names.pop() {
        let Some(schema) = schemas.get_mut(&name).filter(|_| !closed.contains(&name)) else {
            continue;
        };
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
        references(schema, &mut names);
        closed.push(name);
    }
}

/// The names of the schemas that something refers to.
fn references(described: &Value, found: &mut Vec<String>) {
    match described {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            let name = reference.and_then(|text| text.strip_prefix("#/components/schemas/"));
            found.extend(name.map(str::to_owned));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
