//! GET /info

use shared::domain::{Plan, PlanLimits};

use super::views::{Info, PlanAllows};
use crate::{ApiState, answer::Okay, auth::Caller, problem::Problem};

pub(super) async fn info(state: &ApiState, _: &Caller) -> Result<Okay<Info>, Problem> {
    let functions = &state.config.functions;
    Ok(Okay::new(Info {
        version: state.process.version.to_owned(),
        registration: state.config.registration.as_str().to_owned(),
        outside_issuer: state.outside.as_ref().map(|outside| outside.issuer().to_owned()),
        rate_limits: state.config.rate_limits.is_some(),
        shared_limits: state.config.redis_url.is_some(),
        plans: Plan::ALL.iter().map(|plan| plan_allows(state, *plan)).collect(),
        max_timeout: functions.max_timeout_seconds,
        max_memory: functions.max_memory_mib,
        max_input_bytes: functions.payloads.input_bytes as u64,
        max_output_bytes: functions.payloads.output_bytes as u64,
        max_log_bytes: functions.payloads.log_bytes as u64,
        retention_days: state.config.retention.executions,
    }))
}

fn plan_allows(state: &ApiState, plan: Plan) -> PlanAllows {
    let PlanLimits { timeout_seconds, memory_mib, concurrent_executions, functions, .. } =
        state.config.functions.limits_of(plan);
    let requests = state.config.rate_limits.map(|limits| limits.of_plan(plan));
    PlanAllows {
        plan,
        timeout: timeout_seconds,
        memory: memory_mib,
        concurrent_executions,
        functions,
        requests_per_minute: requests.filter(|requests| *requests > 0),
    }
}
