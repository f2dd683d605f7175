//! Whether this process is well: `/health` says so and never refuses, `/ready` refuses while
//! requests cannot be served. Both without a token, `/health` also without the envelope.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use poem_openapi::OpenApi;

use serde_json::json;
use shared::{queue::degraded_layers, store::StoreError, telemetry::chain};
use tokio::time::error::Elapsed;

use crate::{
    ApiState, Process,
    answer::{Bare, Okay},
    problem::Problem,
    routes::Chapter,
    shape::view,
};

/// A database that takes longer counts as away.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

view! {
    /// How this process is.
    HealthReport {
        /// `ok`, or `degraded` when a check fails.
        status: &'static str = "ok",
        /// Of the running program.
        version: &'static str = "0.1.0",
        /// What it depends on.
        checks: Checks = Checks::example(),
        /// Since it started.
        uptime_seconds: u64 = 3600,
    }
}

view! {
    /// What this process depends on.
    Checks {
        /// Postgres.
        database: Check = Check::example(),
    }
}

view! {
    /// One thing this process depends on.
    Check {
        /// `ok` or `failed`.
        status: &'static str = "ok",
        /// How long the answer took; null when none came.
        latency_ms: Option<f64> = 0.4,
    }
}

view! {
    /// This process serves requests.
    Readiness {
        /// Always `ready`; a process that is not answers with an error.
        status: &'static str = "ready",
        /// Layers of isolation that some running worker does without, because its operator allowed
        /// that by name; empty as it should be.
        degraded: Vec<String> = json!([]),
    }
}

/// The routes of this chapter.
pub(crate) struct Health;

#[OpenApi(tag = "Chapter::Operations")]
impl Health {
    /// How this process is
    ///
    /// Answers 200 as long as the process lives, also while the database is away: whoever restarts
    /// processes must not restart this one for that. Comes without the envelope.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self, state: ApiState) -> Bare<HealthReport> {
        let database = match ping(&state).await {
            Ok(latency) => Check { status: "ok", latency_ms: Some(latency.as_secs_f64() * 1000.0) },
            Err(_) => Check { status: "failed", latency_ms: None },
        };
        report(&state.process, database)
    }

    /// Whether requests can be served
    ///
    /// For load balancers: 503 while the process starts, while the database cannot be asked, once the
    /// process was told to stop, and where calls would run in this very process without a layer of
    /// isolation.
    #[oai(path = "/ready", method = "get", operation_id = "ready")]
    async fn ready(&self, state: ApiState) -> Result<Okay<Readiness>, Problem> {
        if state.stopping.load(Ordering::Relaxed) {
            return Err(Problem::overloaded("this process is stopping"));
        }
        let lacking = &state.process.lacking;
        if !lacking.is_empty() {
            let message = format!("calls run here without isolation by {}", lacking.join(", "));
            return Err(Problem::overloaded(&message).with("degraded", lacking.clone()));
        }
        let asked = tokio::time::timeout(PING_TIMEOUT, degraded_layers(&state.db)).await;
        let degraded = answered(asked)?;
        Ok(Okay::new(Readiness { status: "ready", degraded }))
    }
}

/// Of a process that has no database yet.
pub(crate) fn of_starting(process: &Process) -> Bare<HealthReport> {
    report(process, Check { status: "failed", latency_ms: None })
}

fn report(process: &Process, database: Check) -> Bare<HealthReport> {
    let status = if database.status == "ok" { "ok" } else { "degraded" };
    let uptime_seconds = process.started_at.elapsed().as_secs();
    let checks = Checks { database };
    Bare(HealthReport { status, version: process.version, checks, uptime_seconds })
}

async fn ping(state: &ApiState) -> Result<Duration, Problem> {
    let asked_at = Instant::now();
    answered(tokio::time::timeout(PING_TIMEOUT, state.db.ping()).await)?;
    Ok(asked_at.elapsed())
}

fn answered<T>(asked: Result<Result<T, StoreError>, Elapsed>) -> Result<T, Problem> {
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Problem {
            cause: Some(chain(&error)),
            ..Problem::overloaded("the database is away")
        }),
        Err(_) => Err(Problem::overloaded("the database does not answer")),
    }
}
