//! Looking for executions and their lines among many.

use serde_json::{Value, json};
use shared::domain::{Reason, UserId};

use crate::harness::{App, FUNCTIONS, Owner, text, worker};

const EXECUTIONS: &str = "/api/v1/executions";

/// Calls a function and says how that shall end.
async fn call(app: &App, owner: &Owner, id: &str, reason: Option<Reason>) -> Value {
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let queued = app.post(&path, Some(&owner.token), json!({ "input": "a payload" })).await.data();
    let outcome = match reason {
        Some(reason) => worker::failed(reason, "it broke"),
        None => worker::completed("\"a payload\""),
    };
    worker::run_everything(app, &outcome).await;
    let path = format!("{FUNCTIONS}/executions/{}", text(&queued["execution_id"]));
    app.get(&path, &owner.token).await.data()
}

#[tokio::test]
async fn a_project_lists_and_counts_its_executions_by_every_filter() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (one, two) =
        (app.active_function(&owner, "one").await, app.active_function(&owner, "two").await);
    let ok = call(&app, &owner, &one, None).await;
    let oom = call(&app, &owner, &one, Some(Reason::Oom)).await;
    let timeout = call(&app, &owner, &two, Some(Reason::Timeout)).await;
    let cases = [
        (String::new(), vec![&timeout, &oom, &ok]),
        (format!("&function_id={one}"), vec![&oom, &ok]),
        ("&status=failed".to_owned(), vec![&timeout, &oom]),
        ("&status=completed".to_owned(), vec![&ok]),
        ("&status=running".to_owned(), vec![]),
        ("&reason=oom".to_owned(), vec![&oom]),
        (format!("&reason=timeout&function_id={one}"), vec![]),
        (format!("&user_id={}", text(&ok["caller"])), vec![&timeout, &oom, &ok]),
        (format!("&user_id={}", UserId::new()), vec![]),
        (format!("&request_id={}", text(&oom["request_id"])), vec![&oom]),
        ("&from=2020-01-01T00:00:00Z".to_owned(), vec![&timeout, &oom, &ok]),
        ("&to=2020-01-01T00:00:00Z".to_owned(), vec![]),
    ];
    let path = format!("{EXECUTIONS}?project_id={}", owner.project_id);
    for (filter, expected) in cases {
        let page = app.get(&format!("{path}{filter}"), &owner.token).await;
        assert!(!page.body.contains("a payload"), "{filter}: lists hold no payloads");
        let items = page.data()["items"].as_array().unwrap().clone();
        let ids: Vec<_> = items.iter().map(|item| &item["execution_id"]).collect();
        let expected: Vec<_> = expected.iter().map(|it| &it["execution_id"]).collect();
        assert_eq!(ids, expected, "{filter}");
    }
    let counts = format!("{EXECUTIONS}/counts?project_id={}", owner.project_id);
    let all = json!({ "pending": 0, "running": 0, "completed": 1, "failed": 2, "cancelled": 0 });
    assert_eq!(app.get(&counts, &owner.token).await.data(), all);
    let few = app.get(&format!("{counts}&function_id={two}"), &owner.token).await.data();
    assert_eq!((&few["failed"], &few["completed"]), (&json!(1), &json!(0)));
    let one = format!("{counts}&request_id={}", text(&oom["request_id"]));
    let one = app.get(&one, &owner.token).await.data();
    assert_eq!((&one["failed"], &one["completed"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn an_execution_tells_where_its_time_went_and_who_was_there() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let done = call(&app, &owner, &id, None).await;
    assert_eq!(
        (&done["timings"]["setup_ms"], &done["timings"]["run_ms"]),
        (&json!(1.0), &json!(1.5))
    );
    assert!(done["timings"]["queue_ms"].is_f64() && done["timings"]["store_ms"].is_number());
    assert_eq!(done["worker"], "test");
    let me = app.get("/api/v1/auth/me", &owner.token).await.data();
    assert_eq!(done["caller"], me["user_id"]);
    assert!(text(&done["request_id"]).starts_with("req-"));
}

#[tokio::test]
async fn lines_are_found_by_execution_level_text_time_and_place() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let mut outcome = worker::completed("1");
    outcome.log =
        ["INFO up", "WARN Disk 90% full", "ERROR disk full", "plain"].map(worker::line).into();
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    app.post(&path, Some(&owner.token), json!({})).await.data();
    worker::run_everything(&app, &outcome).await;
    let other = call(&app, &owner, &id, Some(Reason::Oom)).await;
    let path = format!("{FUNCTIONS}/{id}/logs");
    let all = app.get(&path, &owner.token).await.data();
    let first = text(&all["items"][5]["execution_id"]);
    let other = text(&other["execution_id"]);
    let cases = [
        (
            format!("execution_id={first}"),
            vec!["plain", "ERROR disk full", "WARN Disk 90% full", "INFO up"],
        ),
        (format!("execution_id={first}&after_seq=2"), vec!["ERROR disk full", "plain"]),
        (format!("execution_id={first}&after_seq=0&before_seq=2"), vec!["INFO up"]),
        (format!("execution_id={first}&before_seq=3"), vec!["WARN Disk 90% full", "INFO up"]),
        (format!("execution_id={other}"), vec!["second", "first"]),
        ("level=warn".to_owned(), vec!["ERROR disk full", "WARN Disk 90% full"]),
        ("level=error".to_owned(), vec!["ERROR disk full"]),
        ("text=DISK".to_owned(), vec!["ERROR disk full", "WARN Disk 90% full"]),
        ("text=90%25".to_owned(), vec!["WARN Disk 90% full"]),
        ("text=_".to_owned(), vec![]),
        ("status=failed".to_owned(), vec!["second", "first"]),
        ("status=completed&text=up".to_owned(), vec!["INFO up"]),
        ("to=2020-01-01T00:00:00Z".to_owned(), vec![]),
        ("from=2020-01-01T00:00:00Z&text=up".to_owned(), vec!["INFO up"]),
    ];
    for (query, expected) in cases {
        let page = app.get(&format!("{path}?{query}"), &owner.token).await.data();
        let items = page["items"].as_array().unwrap();
        let texts: Vec<_> = items.iter().map(|line| text(&line["text"])).collect();
        assert_eq!(texts, expected, "{query}");
    }
    let line = &app.get(&format!("{path}?level=error"), &owner.token).await.data()["items"][0];
    assert_eq!(
        (&line["seq"], &line["level"], &line["stream"]),
        (&json!(3), &json!("error"), &json!("stderr"))
    );
}

#[tokio::test]
async fn following_a_log_page_by_page_misses_nothing() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let mut outcome = worker::completed("1");
    let expected: Vec<String> = (1..=7).map(|number| format!("line {number}")).collect();
    outcome.log = expected.iter().map(|text| worker::line(text)).collect();
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    let queued = app.post(&path, Some(&owner.token), json!({})).await.data();
    worker::run_everything(&app, &outcome).await;
    let execution = text(&queued["execution_id"]);
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let path =
            format!("{FUNCTIONS}/{id}/logs?execution_id={execution}&after_seq={after}&limit=3");
        let page = app.get(&path, &owner.token).await.data();
        let items = page["items"].as_array().unwrap().clone();
        let Some(last) = items.last() else { break };
        after = last["seq"].as_u64().unwrap();
        seen.extend(items.iter().map(|line| text(&line["text"])));
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn filters_are_checked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let project = &owner.project_id;
    let logs = format!("{FUNCTIONS}/{id}/logs");
    let cases = [
        (EXECUTIONS.to_owned(), "project_id"),
        (format!("{EXECUTIONS}/counts"), "project_id"),
        (format!("{EXECUTIONS}?project_id=x"), "project_id"),
        (format!("{EXECUTIONS}?project_id={project}&status=done"), "status"),
        (format!("{EXECUTIONS}?project_id={project}&reason=bad"), "reason"),
        (format!("{EXECUTIONS}?project_id={project}&user_id=x"), "user_id"),
        (format!("{EXECUTIONS}?project_id={project}&request_id=x"), "request_id"),
        (format!("{EXECUTIONS}?project_id={project}&from=today"), "from"),
        (format!("{EXECUTIONS}?project_id={project}&to=1"), "to"),
        (format!("{logs}?level=loud"), "level"),
        (format!("{logs}?text="), "text"),
        (format!("{logs}?text=%00"), "text"),
        (format!("{logs}?text={}", "x".repeat(201)), "text"),
        (format!("{logs}?after_seq=1"), "after_seq"),
        (format!("{logs}?before_seq=1"), "before_seq"),
        (format!("{logs}?after_seq=-1"), "after_seq"),
        (format!("{logs}?after_seq=%2B1"), "after_seq"),
    ];
    for (path, field) in cases {
        assert_eq!(app.get(&path, &owner.token).await.wrong_fields(), [field], "{path}");
    }
    let wrong_kind = format!("{EXECUTIONS}?project_id={project}&function_id={project}");
    app.get(&wrong_kind, &owner.token).await.assert_error(404, "FUNC_NOT_FOUND");
}
