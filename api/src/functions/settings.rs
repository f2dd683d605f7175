//! What a function may ask for: its plan says, under the operator's ceilings.

use shared::{
    config::FunctionSettings,
    domain::{Plan, PlanLimits},
};

use crate::{problem::Problem, shape::FieldError};

/// A Go runtime does not start in less.
const LEAST_MEMORY_MIB: u32 = 16;

/// Settings of a version, within the limits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) timeout_seconds: u32,
    pub(super) memory_mib: u32,
}

impl Settings {
    /// Takes what was asked for, and the configured defaults for what was not.
    pub(super) fn within(
        config: &FunctionSettings,
        plan: Plan,
        timeout: Option<u32>,
        memory: Option<u32>,
    ) -> Result<Self, Problem> {
        let PlanLimits { timeout_seconds, memory_mib, .. } = config.limits_of(plan);
        // A default above the plan's limit is lowered: nobody asked for it.
        let timeout = timeout.unwrap_or(config.default_timeout_seconds.min(timeout_seconds));
        let memory = memory.unwrap_or(config.default_memory_mib.min(memory_mib));
        let wrong: Vec<FieldError> = [
            check("timeout", timeout, 1, timeout_seconds, "seconds", plan),
            check("memory", memory, LEAST_MEMORY_MIB, memory_mib, "MiB", plan),
        ]
        .into_iter()
        .flatten()
        .collect();
        match wrong.is_empty() {
            true => Ok(Self { timeout_seconds: timeout, memory_mib: memory }),
            false => Err(Problem::invalid(&wrong)),
        }
    }
}

fn check(
    field: &str,
    value: u32,
    least: u32,
    most: u32,
    unit: &str,
    plan: Plan,
) -> Option<FieldError> {
    if (least..=most).contains(&value) {
        return None;
    }
    let message =
        format!("is {value} {unit}; on the plan '{plan}' it must be from {least} to {most} {unit}");
    Some(FieldError { field: field.to_owned(), message })
}
