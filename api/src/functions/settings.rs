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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use shared::config::PayloadLimits;

    use super::*;

    fn config(default_memory_mib: u32, max_memory_mib: u32) -> FunctionSettings {
        let payloads = PayloadLimits {
            input_bytes: 1,
            output_bytes: 1,
            log_bytes: 1,
            source_bytes: 1,
            archive_bytes: 1,
            unpacked_bytes: 1,
            source_files: 1,
        };
        FunctionSettings {
            binary_dir: PathBuf::new(),
            temp_dir: PathBuf::new(),
            default_timeout_seconds: 30,
            max_timeout_seconds: 300,
            default_memory_mib,
            max_memory_mib,
            max_concurrent: 100,
            payloads,
            log_retention_days: 30,
        }
    }

    fn memory(config: &FunctionSettings, plan: Plan, asked: Option<u32>) -> Option<u32> {
        Settings::within(config, plan, None, asked).ok().map(|settings| settings.memory_mib)
    }

    #[test]
    fn limits_are_inclusive() {
        let config = config(128, 512);
        let cases = [(15, None), (16, Some(16)), (512, Some(512)), (513, None)];
        for (asked, taken) in cases {
            assert_eq!(memory(&config, Plan::Paid, Some(asked)), taken, "{asked}");
        }
    }

    #[test]
    fn the_operators_ceiling_is_above_every_plan() {
        assert_eq!(memory(&config(64, 64), Plan::Paid, Some(65)), None);
    }

    #[test]
    fn a_default_that_is_over_the_plan_is_lowered_to_it() {
        let config = config(256, 512);
        assert_eq!(memory(&config, Plan::Paid, None), Some(256));
        assert_eq!(memory(&config, Plan::Free, None), Some(128));
    }
}
