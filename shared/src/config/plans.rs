//! The chapter `functions.plans`: what each plan allows on this installation.

use super::values::Values;
use crate::domain::{Plan, PlanLimits};

/// A Go runtime does not start in less.
pub(super) const LEAST_MEMORY_MIB: u32 = 16;
/// An upper bound for the functions of a tenant that are counted at all.
const MAX_FUNCTIONS: u32 = 1_000_000;

/// The limits of each plan; requests a minute are `rate_limits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plans {
    /// Of a tenant on the plan `free`.
    pub free: PlanLimits,
    /// Of a tenant on the plan `paid`.
    pub paid: PlanLimits,
    /// Of a tenant on the plan `enterprise`.
    pub enterprise: PlanLimits,
}

impl Default for Plans {
    /// As the contract states them.
    fn default() -> Self {
        let [free, paid, enterprise] = [Plan::Free, Plan::Paid, Plan::Enterprise].map(Plan::limits);
        Self { free, paid, enterprise }
    }
}

/// The most that a plan may be given: `functions.limits`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ceilings {
    pub(super) timeout_seconds: u32,
    pub(super) memory_mib: u32,
    pub(super) concurrent_executions: u32,
}

impl Plans {
    pub(super) fn of(&self, plan: Plan) -> PlanLimits {
        match plan {
            Plan::Free => self.free,
            Plan::Paid => self.paid,
            Plan::Enterprise => self.enterprise,
        }
    }

    pub(super) fn read(values: &mut Values, most: Ceilings) -> Self {
        let free = [
            "functions.plans.free.timeout",
            "functions.plans.free.memory",
            "functions.plans.free.concurrent",
            "functions.plans.free.functions",
        ];
        let paid = [
            "functions.plans.paid.timeout",
            "functions.plans.paid.memory",
            "functions.plans.paid.concurrent",
            "functions.plans.paid.functions",
        ];
        let enterprise = [
            "functions.plans.enterprise.timeout",
            "functions.plans.enterprise.memory",
            "functions.plans.enterprise.concurrent",
            "functions.plans.enterprise.functions",
        ];
        Self {
            free: read_plan(values, Plan::Free, free, most),
            paid: read_plan(values, Plan::Paid, paid, most),
            enterprise: read_plan(values, Plan::Enterprise, enterprise, most),
        }
    }
}

/// A number of the contract's may lie above its ceiling, which holds then (`FunctionSettings::limits_of`);
/// one that somebody wrote is refused.
fn read_plan(
    values: &mut Values,
    plan: Plan,
    keys: [&'static str; 4],
    most: Ceilings,
) -> PlanLimits {
    let [timeout, memory, concurrent, functions] = keys;
    let usual = plan.limits();
    let mut number = |key, usual, least, most| values.number(key, usual, least..=most);
    let at_once = most.concurrent_executions;
    let concurrent = number(concurrent, usual.concurrent_executions, 0, at_once);
    let functions = number(functions, usual.functions.unwrap_or(0), 0, MAX_FUNCTIONS);
    PlanLimits {
        timeout_seconds: number(timeout, usual.timeout_seconds, 1, most.timeout_seconds),
        memory_mib: number(memory, usual.memory_mib, LEAST_MEMORY_MIB, most.memory_mib),
        concurrent_executions: if concurrent == 0 { at_once } else { concurrent },
        functions: (functions > 0).then_some(functions),
        requests_per_minute: usual.requests_per_minute,
    }
}
