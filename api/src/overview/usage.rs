//! GET /usage

use shared::store::{account, call, function};

use super::views::{Usage, Used};
use crate::{ApiState, answer::Okay, auth::Caller, limits::Allowance, problem::Problem};

pub(super) async fn usage(state: &ApiState, caller: &Caller) -> Result<Okay<Usage>, Problem> {
    let tenant = caller.actor.tenant;
    let profile = account::profile(&state.db, caller.actor).await?;
    let plan = profile.ok_or_else(Problem::account_gone)?.plan;
    let limits = state.config.functions.limits_of(plan);
    let mut tx = state.db.begin_for(tenant).await?;
    let functions = function::count(&mut tx, tenant).await?;
    drop(tx);
    let running = call::running(&state.db, tenant).await?;
    Ok(Okay::new(Usage {
        plan,
        functions: Used { used: functions, limit: limits.functions },
        concurrent_executions: Used { used: running, limit: Some(limits.concurrent_executions) },
        requests_per_minute: caller
            .allowance
            .map(|Allowance { limit, remaining, .. }| (limit - remaining, limit))
            .map(|(used, limit)| Used { used, limit: Some(limit) }),
        timeout: limits.timeout_seconds,
        memory: limits.memory_mib,
    }))
}
