//! What functions did lately, in numbers.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{domain::Reason, store::execution::FinishedExecution};

use crate::harness::{App, FUNCTIONS, Owner, worker};

async fn call(app: &App, owner: &Owner, function: &str, finished: &FinishedExecution) {
    let path = format!("{FUNCTIONS}/{function}/invoke-async");
    app.post(&path, Some(&owner.token), json!({})).await.data();
    worker::run_everything(app, finished).await;
}

fn took(run_ms: u64, setup_ms: u64) -> FinishedExecution {
    FinishedExecution {
        run: Duration::from_millis(run_ms),
        setup: Duration::from_millis(setup_ms),
        ..worker::completed("1")
    }
}

async fn metrics(app: &App, owner: &Owner, function: &str, query: &str) -> Value {
    app.get(&format!("{FUNCTIONS}/{function}/metrics{query}"), &owner.token).await.data()
}

/// How many of one kind the whole series counts.
fn sum(series: &Value, of: &str) -> u64 {
    series.as_array().unwrap().iter().map(|step| step[of].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_function_tells_how_many_how_long_and_how_cold() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    for (run_ms, setup_ms) in [(10, 1), (20, 1), (30, 9)] {
        call(&app, &owner, &function, &took(run_ms, setup_ms)).await;
    }
    call(&app, &owner, &function, &worker::failed(Reason::Timeout, "too slow")).await;
    let told = metrics(&app, &owner, &function, "").await;
    assert_eq!(
        (&told["window"], &told["calls"], &told["errors"]),
        (&json!("24h"), &json!(4), &json!(1))
    );
    assert_eq!(told["error_rate"], 0.25);
    assert_eq!(told["duration"]["p50"], 15.0, "between 10 and 20: {told}");
    assert_eq!(told["cold_share"], 0.25);
    assert_eq!(told["memory"], json!({ "average": 3.0, "peak": 3.0 }));
    assert_eq!(told["complete_since"], told["from"]);
    let series = &told["series"];
    assert_eq!((series.as_array().unwrap().len(), &told["step_seconds"]), (96, &json!(900)));
    assert_eq!((sum(series, "calls"), sum(series, "errors")), (4, 1));
}

#[tokio::test]
async fn a_window_holds_what_was_accepted_in_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    call(&app, &owner, &function, &worker::completed("1")).await;
    let pool = app.database.pool().await;
    // Ids hold the time; the row moves to the partition of its day.
    let three_hours_ago = "update execution set queued_at = now() - interval '3 hours',
        id = (left(uuid_at(now() - interval '3 hours')::text, 18) || right(id::text, 18))::uuid";
    sqlx::query(three_hours_ago).execute(&pool).await.unwrap();
    for (window, calls, steps) in
        [("1h", 0, 60), ("6h", 1, 72), ("24h", 1, 96), ("7d", 1, 84), ("30d", 1, 90)]
    {
        let told = metrics(&app, &owner, &function, &format!("?window={window}")).await;
        assert_eq!(
            (&told["calls"], sum(&told["series"], "calls")),
            (&json!(calls), calls),
            "{window}"
        );
        assert_eq!(told["series"].as_array().unwrap().len(), steps, "{window}");
    }
    let path = format!("{FUNCTIONS}/{function}/metrics?window=2h");
    assert_eq!(app.get(&path, &owner.token).await.wrong_fields(), ["window"]);
}

#[tokio::test]
async fn a_function_that_nobody_called_has_zeros_and_nulls() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.function(&owner, "hello").await;
    let told = metrics(&app, &owner, &function, "?window=1h").await;
    assert_eq!((&told["calls"], &told["error_rate"]), (&json!(0), &json!(0.0)));
    assert_eq!(told["duration"], json!({ "p50": null, "p95": null, "p99": null }));
    assert!(told["cold_share"].is_null());
}

#[tokio::test]
async fn a_list_shows_the_last_day_of_each_function_when_asked() {
    let app = App::start().await;
    let owner = app.owner().await;
    let (busy, idle) =
        (app.active_function(&owner, "busy").await, app.active_function(&owner, "idle").await);
    call(&app, &owner, &busy, &took(10, 1)).await;
    call(&app, &owner, &busy, &worker::failed(Reason::Oom, "too large")).await;
    let list = app.get(&format!("{FUNCTIONS}?include=stats"), &owner.token).await.data();
    let of = |id: &str| {
        let items = list["items"].as_array().unwrap();
        items.iter().find(|item| item["function_id"] == id).unwrap()["stats"].clone()
    };
    let stats = of(&busy);
    assert_eq!((&stats["calls"], &stats["errors"]), (&json!(2), &json!(1)));
    assert_eq!(stats["hours"].as_array().unwrap().len(), 24);
    assert_eq!((sum(&stats["hours"], "calls"), sum(&stats["hours"], "errors")), (2, 1));
    assert_eq!(stats["last_failure"]["reason"], "oom");
    assert!(stats["p95_ms"].as_f64().unwrap() > 1.0, "{stats}");
    let stats = of(&idle);
    assert_eq!((&stats["calls"], &stats["last_failure"]), (&json!(0), &Value::Null));

    let plain = app.get(FUNCTIONS, &owner.token).await.data();
    assert!(plain["items"][0]["stats"].is_null(), "{plain}");
}

#[tokio::test]
async fn functions_are_found_by_a_part_of_their_name() {
    let app = App::start().await;
    let owner = app.owner().await;
    for name in ["send-email", "Email_Digest", "resize"] {
        app.function(&owner, name).await;
    }
    let found = async |name: &str| {
        let list = app.get(&format!("{FUNCTIONS}?name={name}"), &owner.token).await.data();
        let names = list["items"].as_array().unwrap().iter().map(|item| item["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(found("EMAIL").await, [json!("Email_Digest"), json!("send-email")]);
    assert_eq!(found("%25").await, [] as [Value; 0], "nothing in it is a pattern");
}
