//! Every kind of bad input gets the right 4xx, in the envelope, with the field named.

use serde_json::{Value, json};
use shared::domain::{BuildId, ExecutionId, FunctionId, ProjectId};

use crate::harness::{App, FUNCTIONS, Owner, send, text};

/// A change to a good request, and the fields that are wrong after it.
struct Case {
    change: Value,
    fields: &'static [&'static str],
    says: &'static str,
}

const fn case(change: Value, fields: &'static [&'static str], says: &'static str) -> Case {
    Case { change, fields, says }
}

/// Marks a field that is taken out of the good request.
const GONE: &str = "(gone)";

fn changed(mut good: Value, change: &Value) -> Value {
    for (name, value) in change.as_object().unwrap() {
        if value == GONE {
            good.as_object_mut().unwrap().remove(name);
        } else {
            good[name] = value.clone();
        }
    }
    good
}

async fn check(app: &App, path: &str, token: Option<&str>, good: &Value, cases: Vec<Case>) {
    for Case { change, fields, says } in cases {
        let reply = app.post(path, token, changed(good.clone(), &change)).await;
        assert_eq!(reply.wrong_fields(), fields, "{change}");
        let message = text(&reply.error()["message"]);
        assert!(message.contains(says), "{change}: {message}");
    }
}

#[tokio::test]
async fn a_bad_account_is_refused_field_by_field() {
    let app = App::start().await;
    let good = json!({ "email": "ann@example.com", "password": "correct horse", "name": "Ann" });
    let cases = vec![
        case(json!({ "email": GONE }), &["email"], "is required"),
        case(json!({ "email": GONE, "password": GONE }), &["email", "password"], "is required"),
        case(json!({ "email": 1 }), &["email"], "must be a string, found a number"),
        case(json!({ "email": null }), &["email"], "found null"),
        case(json!({ "email": "ann" }), &["email"], "not an e-mail address"),
        case(json!({ "email": format!("{}@b.c", "a".repeat(255)) }), &["email"], "at most 254"),
        case(json!({ "password": "short" }), &["password"], "is 5 characters long; at least 8"),
        case(json!({ "password": "x".repeat(1025) }), &["password"], "at most 1024"),
        case(json!({ "password": ["correct horse"] }), &["password"], "found an array"),
        case(json!({ "name": "" }), &["name"], "must not be empty"),
        case(json!({ "name": "a\nb" }), &["name"], "control characters"),
        case(json!({ "plan": "paid" }), &["plan"], "known are: email, password, name"),
    ];
    check(&app, "/api/v1/auth/register", None, &good, cases).await;
}

#[tokio::test]
async fn a_refused_password_is_not_echoed() {
    let app = App::start().await;
    let account = json!({ "email": "nonsense", "password": "hunter2" });
    let reply = app.post("/api/v1/auth/register", None, account).await;
    assert!(!reply.body.contains("hunter2"), "{}", reply.body);
}

#[tokio::test]
async fn a_bad_project_is_refused() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let cases = vec![
        case(json!({ "name": GONE }), &["name"], "is required"),
        case(json!({ "name": "" }), &["name"], "must not be empty"),
        case(json!({ "name": "x".repeat(101) }), &["name"], "is 101 characters long; at most 100"),
        case(json!({ "name": { "a": 1 } }), &["name"], "found an object"),
    ];
    check(&app, "/api/v1/projects", Some(&person.token), &json!({ "name": "shop" }), cases).await;
}

#[tokio::test]
async fn a_bad_member_or_invitation_is_refused_field_by_field() {
    let app = App::start().await;
    let owner = app.owner().await;
    let project = format!("/api/v1/projects/{}", owner.project_id);
    let good = json!({ "email": "bob@example.com", "role": "member" });
    let of_both = || {
        vec![
            case(json!({ "email": GONE }), &["email"], "is required"),
            case(json!({ "email": "bob" }), &["email"], "not an e-mail address"),
            case(json!({ "email": null }), &["email"], "found null"),
            case(json!({ "role": GONE }), &["role"], "is required"),
            case(json!({ "role": "king" }), &["role"], "viewer, member, admin, owner"),
            case(json!({ "role": 1, "email": 2 }), &["email", "role"], "found a number"),
            case(json!({ "tenant_id": "x" }), &["tenant_id"], "is not a known field"),
        ]
    };
    check(&app, &format!("{project}/members"), Some(&owner.token), &good, of_both()).await;
    let mut of_invitations = of_both();
    let days = [
        (json!(0), "1 to 30 are allowed"),
        (json!(31), "1 to 30 are allowed"),
        (json!("7"), "number"),
    ];
    of_invitations.extend(
        days.map(|(days, says)| {
            case(json!({ "expires_in_days": days }), &["expires_in_days"], says)
        }),
    );
    check(&app, &format!("{project}/invitations"), Some(&owner.token), &good, of_invitations).await;

    let me = app.get("/api/v1/auth/me", &owner.token).await.data();
    let member = format!("{project}/members/{}", text(&me["user_id"]));
    for (body, field) in [(json!({}), "role"), (json!({ "role": "king" }), "role")] {
        let put = hyper::Method::PUT;
        let reply = app.call(put, &member, Some(&owner.token), Some(&body)).await;
        assert_eq!(reply.wrong_fields(), [field], "{body}");
    }
    let accept = "/api/v1/invitations/accept";
    let cases = vec![
        case(json!({ "token": GONE }), &["token"], "is required"),
        case(json!({ "token": 7 }), &["token"], "found a number"),
    ];
    check(&app, accept, Some(&owner.token), &json!({ "token": "apprun_inv_x" }), cases).await;
}

#[tokio::test]
async fn a_bad_function_is_refused_field_by_field() {
    let app = App::start().await;
    let owner = app.owner().await;
    let cases = vec![
        case(json!({ "project_id": GONE }), &["project_id"], "is required"),
        case(
            json!({ "project_id": "shop" }),
            &["project_id"],
            "must be 'proj-' followed by a UUID",
        ),
        case(json!({ "name": GONE }), &["name"], "is required"),
        case(json!({ "name": "x".repeat(64) }), &["name"], "is 64 characters long; at most 63"),
        case(json!({ "name": "no spaces" }), &["name"], "may hold only"),
        case(json!({ "description": "x".repeat(1001) }), &["description"], "at most 1000"),
        case(json!({ "runtime": "python3" }), &["runtime"], "python3"),
        case(json!({ "runtime": GONE, "code": 7 }), &["runtime", "code"], "is required"),
        case(json!({ "code": GONE }), &["code"], "or send 'code_base64', 'files', or a zip"),
        case(json!({ "code": "  " }), &["code"], "must not be empty"),
        case(json!({ "code": 7 }), &["code"], "found a number"),
        case(json!({ "trigger": "cron" }), &["trigger"], "http, event"),
        case(
            json!({ "timeout": 0 }),
            &["timeout"],
            "is 0 seconds; on the plan 'free' it must be from 1 to 30",
        ),
        case(
            json!({ "timeout": 31 }),
            &["timeout"],
            "is 31 seconds; on the plan 'free' it must be from 1 to 30",
        ),
        case(json!({ "timeout": -1 }), &["timeout"], "found -1"),
        case(json!({ "timeout": 1.5 }), &["timeout"], "found 1.5"),
        case(json!({ "timeout": "30" }), &["timeout"], "must be a whole number"),
        case(json!({ "timeout": 99_999_999_999_u64 }), &["timeout"], "found 99999999999"),
        case(
            json!({ "memory": 129 }),
            &["memory"],
            "is 129 MiB; on the plan 'free' it must be from 16 to 128",
        ),
        case(json!({ "memory": 1, "timeout": 0 }), &["timeout", "memory"], "is 1 MiB"),
        case(json!({ "network": "egress" }), &["network"], "which this server does not allow"),
        case(json!({ "network": "internet" }), &["network"], "must be one of: none, egress"),
        case(json!({ "sandbox": false }), &["sandbox"], "is not a known field"),
    ];
    check(&app, FUNCTIONS, Some(&owner.token), &owner.new_function("hello"), cases).await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_field_by_field() {
    let app = App::start().await;
    let owner = app.owner().await;
    let cases = vec![
        case(json!({ "trigger": "event" }), &["events"], "at least one event"),
        case(json!({ "events": ["a.b"] }), &["events"], "needs the trigger 'event'"),
        case(json!({ "events": ["a b"] }), &["events"], "number 1 must be words"),
        case(json!({ "events": ["a", "a"] }), &["events"], "name a more than once"),
        case(json!({ "events": vec!["a"; 51] }), &["events"], "are 51; at most 50"),
        case(json!({ "max_concurrency": 0 }), &["max_concurrency"], "from 1 to 10"),
        case(json!({ "max_concurrency": 11 }), &["max_concurrency"], "is 11; on the plan 'free'"),
        case(json!({ "retry": 3 }), &["retry"], "must be an object"),
        case(json!({ "retry": { "max": 3 } }), &["retry"], "'max' is not a known field"),
        case(json!({ "retry": { "max_retries": 101 } }), &["retry"], "at most 100"),
        case(json!({ "retry": { "initial_delay": -1 } }), &["retry"], "from 0 to 86400 seconds"),
        case(json!({ "retry": { "initial_delay": 61 } }), &["retry"], "below its initial_delay"),
        case(json!({ "retry": { "backoff_factor": 0.5 } }), &["retry"], "from 1 to 10"),
        case(json!({ "env": [] }), &["env"], "must be an object"),
        case(json!({ "env": { "A": 1 } }), &["env"], "texts by name"),
        case(json!({ "env": { "A-B": "x" } }), &["env"], "hold 'A-B', which is no name"),
        case(json!({ "env": { "APPRUN_X": "x" } }), &["env"], "is set by the platform"),
        case(json!({ "secrets": { "gomaxprocs": "x" } }), &["secrets"], "is set by the platform"),
        case(json!({ "env": { "A": "x\u{0}" } }), &["env"], "holds a NUL"),
        case(json!({ "env": { "A": "x".repeat(8193) } }), &["env"], "longer than 8192 bytes"),
        case(
            json!({ "env": { "A": "x".repeat(8192), "B": "x".repeat(8191) } }),
            &["env"],
            "are 16385 bytes",
        ),
        case(
            json!({ "env": { "A": "x" }, "secrets": { "A": "y" } }),
            &["env"],
            "hold 'A', which is a secret already",
        ),
    ];
    check(&app, FUNCTIONS, Some(&owner.token), &owner.new_function("hello"), cases).await;
}

#[tokio::test]
async fn a_function_in_a_project_that_is_not_there_is_a_404() {
    let app = App::start().await;
    let owner = app.owner().await;
    for project in [ProjectId::new().to_string(), FunctionId::new().to_string()] {
        let body = changed(owner.new_function("hello"), &json!({ "project_id": project }));
        app.post(FUNCTIONS, Some(&owner.token), body).await.assert_error(404, "NOT_FOUND");
    }
}

/// Every path that takes an id, with the code of "not found" and the field of "malformed".
fn paths_with_ids(owner: &Owner, function: &str) -> Vec<(String, &'static str, &'static str)> {
    let _ = owner;
    vec![
        ("/api/v1/projects/{}".to_owned(), "NOT_FOUND", "project_id"),
        (format!("{FUNCTIONS}/{{}}"), "FUNC_NOT_FOUND", "function_id"),
        (format!("{FUNCTIONS}/{{}}/logs"), "FUNC_NOT_FOUND", "function_id"),
        (format!("{FUNCTIONS}/{{}}/versions"), "FUNC_NOT_FOUND", "function_id"),
        (format!("{FUNCTIONS}/{{}}/versions/1/source"), "FUNC_NOT_FOUND", "function_id"),
        (format!("{FUNCTIONS}/{{}}/executions"), "FUNC_NOT_FOUND", "function_id"),
        (format!("{FUNCTIONS}/{function}/builds/{{}}"), "NOT_FOUND", "build_id"),
        (format!("{FUNCTIONS}/executions/{{}}"), "NOT_FOUND", "execution_id"),
    ]
}

#[tokio::test]
async fn a_malformed_id_is_a_400_and_one_of_another_kind_a_404() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.function(&owner, "hello").await;
    for (path, code, field) in paths_with_ids(&owner, &function) {
        for bad in ["x", "func", "func-1", "proj-", "a%20b", "func-%00", "1"] {
            let reply = app.get(&path.replace("{}", bad), &owner.token).await;
            assert_eq!(reply.wrong_fields(), [field], "{path} {bad}");
        }
        let absent = [
            FunctionId::new().to_string(),
            ProjectId::new().to_string(),
            BuildId::new().to_string(),
            ExecutionId::new().to_string(),
        ];
        for id in absent {
            app.get(&path.replace("{}", &id), &owner.token).await.assert_error(404, code);
        }
    }
}

#[tokio::test]
async fn bad_parameters_of_a_query_are_named() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.function(&owner, "hello").await;
    let execution = ExecutionId::new();
    let cases = [
        (format!("{FUNCTIONS}?limit=0"), "limit"),
        (format!("{FUNCTIONS}?limit=201"), "limit"),
        (format!("{FUNCTIONS}?limit=x"), "limit"),
        (format!("{FUNCTIONS}?cursor=x"), "cursor"),
        (format!("{FUNCTIONS}?status=sleeping"), "status"),
        (format!("{FUNCTIONS}?project_id=shop"), "project_id"),
        (format!("{FUNCTIONS}/{function}/logs?cursor=AAAA"), "cursor"),
        (format!("{FUNCTIONS}/{function}/executions?cursor=%00"), "cursor"),
        (format!("{FUNCTIONS}/executions/{execution}?wait=20"), "wait"),
        (format!("{FUNCTIONS}/executions/{execution}?wait=-1s"), "wait"),
        (format!("{FUNCTIONS}/executions/{execution}?wait=61s"), "wait"),
        (format!("{FUNCTIONS}/{function}/versions?cursor=x"), "cursor"),
        (format!("{FUNCTIONS}/{function}/versions/01/source"), "version"),
        (format!("{FUNCTIONS}/{function}/versions/latest/source"), "version"),
        ("/api/v1/projects?limit=".to_owned(), "limit"),
        ("/api/v1/projects?limt=5".to_owned(), "limt"),
        ("/api/v1/projects?limit=5&limit=6".to_owned(), "limit"),
        (format!("{FUNCTIONS}?Status=active"), "Status"),
        (format!("{FUNCTIONS}/{function}?status=active"), "status"),
        (format!("{FUNCTIONS}/executions/{execution}?limit=1"), "limit"),
    ];
    for (path, field) in cases {
        let reply = app.get(&path, &owner.token).await;
        assert_eq!(reply.wrong_fields(), [field], "{path}");
    }
    let of_another_kind = format!("{FUNCTIONS}?project_id={function}");
    app.get(&of_another_kind, &owner.token).await.assert_error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_bad_call_is_refused() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    for how in ["invoke", "invoke-async"] {
        let path = format!("{FUNCTIONS}/{function}/{how}");
        let cases = vec![case(json!({ "inputs": 1 }), &["inputs"], "known are: input")];
        check(&app, &path, Some(&owner.token), &json!({}), cases).await;
    }
}

#[tokio::test]
async fn a_name_that_is_given_twice_is_refused() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    for body in [r#"{"name":"a","name":"b"}"#, r#"{"name":"a","na\u006de":"a"}"#] {
        let request = hyper::Request::post("/api/v1/projects")
            .header("authorization", format!("Bearer {}", person.token))
            .header("content-type", "application/json");
        let reply = send(app.address, request.body(body).unwrap()).await;
        assert_eq!(reply.wrong_fields(), ["name"], "{body}");
        assert_eq!(reply.error()["message"], "'name' is given more than once");
    }
}

#[tokio::test]
async fn a_message_names_its_field_once() {
    let app = App::start().await;
    let owner = app.owner().await;
    let wrong = json!({ "runtime": "python3", "trigger": "cron", "project_id": "shop" });
    let reply =
        app.post(FUNCTIONS, Some(&owner.token), changed(owner.new_function("hello"), &wrong));
    let message = text(&reply.await.error()["message"]);
    assert_eq!(
        message,
        "'project_id' must be 'proj-' followed by a UUID; 'runtime' must be \"go1.N\" (for example \
         \"go1.21\") or \"rust\", found 'python3'; 'trigger' must be one of: http, event; found 'cron'"
    );
}
