//! GET /queue and GET /workers

use shared::{queue, store::account};

use super::views::{Queue, QueueClass, Worker, Workers};
use crate::{ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem};

pub(super) async fn queue(state: &ApiState, caller: &Caller) -> Result<Okay<Queue>, Problem> {
    require(state, caller, Action::SeeQueue).await?;
    let depths = queue::depths(&state.db, Some(caller.actor.tenant)).await?;
    let class = |depth: queue::Depth| QueueClass {
        class: depth.class.as_str(),
        ready: depth.ready,
        running: depth.running,
        deferred: depth.deferred,
        oldest_ready_seconds: depth.oldest_ready.map(|age| age.as_secs_f64()),
    };
    Ok(Okay::new(Queue { classes: depths.into_iter().map(class).collect() }))
}

pub(super) async fn workers(state: &ApiState, caller: &Caller) -> Result<Okay<Workers>, Problem> {
    require(state, caller, Action::SeeWorkers).await?;
    let worker = |row: queue::WorkerSession| Worker {
        name: row.name,
        alive: row.alive,
        started_at: row.started_at.into(),
        calls: row.calls,
        builds: row.builds,
        toolchains: row.toolchains,
        degraded: row.degraded,
    };
    let workers = queue::workers(&state.db).await?;
    Ok(Okay::new(Workers { workers: workers.into_iter().map(worker).collect() }))
}

async fn require(state: &ApiState, caller: &Caller, action: Action) -> Result<(), Problem> {
    let profile = account::profile(&state.db, caller.actor).await?;
    action.allow_over_tenant(profile.ok_or_else(Problem::account_gone)?.role)
}
