//! The walk itself: each step asks for something, and insists on the answer it should get.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    client::{Client, Unexpected},
    examples::{self, DOES_NOT_COMPILE, Example, SLEEPS, TIMEOUT_MS, TIMEOUT_SLACK_MS},
    report::Report,
};

/// The first build on a machine waits for the toolchains' caches to be filled.
const BUILD_LIMIT: Duration = Duration::from_secs(300);
const BUILD_POLL_INTERVAL: Duration = Duration::from_millis(25);
/// One long poll answers within its 20 s; a second one leaves room for a loaded machine.
const EXECUTION_POLLS: u32 = 3;

/// All steps in order; the first that is not as it should be ends the walk.
pub(super) async fn walk(client: &mut Client, report: &mut Report) -> Result<(), Unexpected> {
    let project = sign_up(client, report).await?;
    for example in examples::working() {
        let function = deploy(client, report, &project, &example).await?;
        call_later(client, report, &function, &example).await?;
        call_now(client, report, &function, &example).await?;
    }
    run_out_of_time(client, report, &project).await?;
    fail_to_compile(client, report, &project).await
}

/// An account, a token for it, and a project; its id.
async fn sign_up(client: &mut Client, report: &mut Report) -> Result<String, Unexpected> {
    let (email, password) = ("demo@example.com", "correct horse battery staple");
    let credentials = json!({ "email": email, "password": password });
    let account = client.post("/auth/register", &credentials, StatusCode::CREATED).await?;
    report.step("register", &text(&account, "user_id")?);

    let tokens = client.post("/auth/login", &credentials, StatusCode::OK).await?;
    client.access_token = Some(text(&tokens, "access_token")?);
    report.step("login", &format!("token for {} s", tokens["expires_in"]));

    let name = json!({ "name": "demo" });
    let project = client.post("/projects", &name, StatusCode::CREATED).await?;
    let id = text(&project, "project_id")?;
    report.step("create project", &id);
    Ok(id)
}

/// Creates a function and waits until it is active; its id.
async fn deploy(
    client: &Client,
    report: &mut Report,
    project: &str,
    example: &Example,
) -> Result<String, Unexpected> {
    let body = create_body(project, example.name, example.runtime, example.code, 30);
    let function = create(client, report, &body).await?;
    let began = Instant::now();
    let details = settle(client, report, &function).await?;
    insist(&details, "status", "active")?;
    report.step(&format!("build {}", example.name), "active");
    let cost = format!("{:.1} s", began.elapsed().as_secs_f64());
    report.row(example.name, "build", "active", &cost);
    Ok(function)
}

/// The create request, as the contract writes it.
fn create_body(
    project: &str,
    name: &str,
    runtime: &str,
    code: &str,
    timeout_seconds: u32,
) -> Value {
    json!({
        "project_id": project,
        "name": name,
        "description": "part of the demo",
        "runtime": runtime,
        "code": code,
        "trigger": "http",
        "timeout": timeout_seconds,
        "memory": 128,
    })
}

async fn create(client: &Client, report: &mut Report, body: &Value) -> Result<String, Unexpected> {
    let created = client.post("/functions", body, StatusCode::CREATED).await?;
    insist(&created, "status", "pending")?;
    let id = text(&created, "function_id")?;
    report.step(&format!("deploy {}", text(body, "name")?), &id);
    Ok(id)
}

/// Waits until a function is no longer pending, printing each state of its build; its details.
async fn settle(client: &Client, report: &Report, function: &str) -> Result<Value, Unexpected> {
    let give_up_at = Instant::now() + BUILD_LIMIT;
    let mut shown = String::new();
    loop {
        let details = client.get(&format!("/functions/{function}")).await?;
        let state = text(&details["build"], "status")?;
        if state != shown {
            report.detail(&format!("build {state}"));
            shown = state;
        }
        if details["status"] != "pending" {
            return Ok(details);
        }
        if Instant::now() > give_up_at {
            return Err(Unexpected::new(format!("the build was not done in {BUILD_LIMIT:?}")));
        }
        tokio::time::sleep(BUILD_POLL_INTERVAL).await;
    }
}

async fn call_later(
    client: &Client,
    report: &mut Report,
    function: &str,
    example: &Example,
) -> Result<(), Unexpected> {
    let execution = execute(client, report, function, example.name, &example.input).await?;
    insist(&execution, "status", "completed")?;
    check_result(&execution, example)?;
    report.step(&format!("execution of {}", example.name), "completed");
    for field in ["status", "output", "logs", "duration", "memory_used"] {
        report.detail(&format!("{field:<12} {}", execution[field]));
    }
    report.row(example.name, "invoke-async", "completed", &cost(&execution));
    Ok(())
}

async fn call_now(
    client: &Client,
    report: &mut Report,
    function: &str,
    example: &Example,
) -> Result<(), Unexpected> {
    let body = json!({ "input": example.input });
    let path = format!("/functions/{function}/invoke");
    let result = client.post(&path, &body, StatusCode::OK).await?;
    check_result(&result, example)?;
    report.step(&format!("invoke {}", example.name), &result["output"].to_string());
    report.row(example.name, "invoke", "completed", &cost(&result));
    Ok(())
}

async fn run_out_of_time(
    client: &Client,
    report: &mut Report,
    project: &str,
) -> Result<(), Unexpected> {
    let body = create_body(project, "sleeper", "go1.21", SLEEPS, 1);
    let function = create(client, report, &body).await?;
    insist(&settle(client, report, &function).await?, "status", "active")?;
    report.step("build sleeper", "active");

    let execution = execute(client, report, &function, "sleeper", &json!({})).await?;
    insist(&execution, "status", "failed")?;
    insist(&execution, "reason", "timeout")?;
    let took_ms = execution["duration"].as_f64().unwrap_or_default();
    if !(TIMEOUT_MS..=TIMEOUT_MS + TIMEOUT_SLACK_MS).contains(&took_ms) {
        return Err(Unexpected::new(format!(
            "it should have ended within {TIMEOUT_SLACK_MS} ms of its {TIMEOUT_MS} ms, but ran for \
             {took_ms} ms"
        )));
    }
    report.step("execution of sleeper", "failed, timeout");
    report.row("sleeper", "invoke-async", "failed, reason timeout", &cost(&execution));
    Ok(())
}

async fn fail_to_compile(
    client: &Client,
    report: &mut Report,
    project: &str,
) -> Result<(), Unexpected> {
    let body = create_body(project, "broken", "go1.21", DOES_NOT_COMPILE, 30);
    let function = create(client, report, &body).await?;
    let details = settle(client, report, &function).await?;
    insist(&details, "status", "failed")?;
    let complaint = &details["build"]["diagnostics"][0];
    let message = text(complaint, "message")?;
    if complaint["line"] != examples::WRONG_LINE || !message.contains(examples::WRONG_NAME) {
        return Err(Unexpected::new(format!(
            "the compiler should have complained about {:?} in line {}, but said: {complaint}",
            examples::WRONG_NAME,
            examples::WRONG_LINE
        )));
    }
    let outcome = format!("failed, line {}: {message}", examples::WRONG_LINE);
    report.step("build broken", &outcome);
    report.row("broken", "build", &outcome, "");
    Ok(())
}

/// Calls a function asynchronously and waits for its end; the execution.
async fn execute(
    client: &Client,
    report: &mut Report,
    function: &str,
    name: &str,
    input: &Value,
) -> Result<Value, Unexpected> {
    let path = format!("/functions/{function}/invoke-async");
    let body = json!({ "input": input });
    let accepted = client.post(&path, &body, StatusCode::ACCEPTED).await?;
    let id = text(&accepted, "execution_id")?;
    report.step(&format!("invoke-async {name}"), &id);
    for _ in 0..EXECUTION_POLLS {
        let execution = client.get(&format!("/functions/executions/{id}?wait=20s")).await?;
        if execution["status"] != "pending" && execution["status"] != "running" {
            return Ok(execution);
        }
    }
    Err(Unexpected::new(format!("execution {id} did not end")))
}

fn check_result(result: &Value, example: &Example) -> Result<(), Unexpected> {
    if result["output"] != example.output {
        let (expected, found) = (&example.output, &result["output"]);
        return Err(Unexpected::new(format!("output should be {expected} but is {found}")));
    }
    let logs = text(result, "logs")?;
    if !logs.contains(example.log) {
        return Err(Unexpected::new(format!("the log should tell {:?}: {logs:?}", example.log)));
    }
    Ok(())
}

/// Duration and memory of an execution, for the table.
fn cost(execution: &Value) -> String {
    let number = |field: &str| execution[field].as_f64().unwrap_or_default();
    format!("{:.1} ms, {:.1} MiB", number("duration"), number("memory_used"))
}

fn text(value: &Value, field: &str) -> Result<String, Unexpected> {
    let found = value[field].as_str().map(str::to_owned);
    found.ok_or_else(|| Unexpected::new(format!("{field} is missing in {value}")))
}

fn insist(value: &Value, field: &str, expected: &str) -> Result<(), Unexpected> {
    if value[field] == expected {
        return Ok(());
    }
    Err(Unexpected::new(format!("{field} should be {expected:?} in {value}")))
}
