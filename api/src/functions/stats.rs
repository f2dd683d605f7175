//! What the list of functions tells of the last day.

use std::{collections::HashMap, time::Duration};

use serde_json::json;
use shared::{
    domain::{ExecutionId, FunctionId, Reason},
    store::function_numbers::{LastFailure, Stats},
};

use crate::{
    examples::{EXECUTION, MOMENT},
    shape::{Timestamp, milliseconds, view},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

view! {
    /// What a function did in the last 24 hours. Of one with very many calls, the last 5,000.
    FunctionStats {
        /// Calls that ended.
        calls: u64 = 1200,
        /// Of those, calls that failed.
        errors: u64 = 3,
        /// 95 of 100 programs ran no longer than this, in milliseconds; null without any.
        p95_ms: Option<f64> = 4.2,
        /// The last call that failed, however long ago; null without one.
        last_failure: Option<Failure> = Failure::example(),
        /// 24 hours, the oldest first; the last one is still going on.
        hours: Vec<HourOfCalls> = json!([HourOfCalls::example()]),
    }
}

view! {
    /// A call that failed.
    Failure {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// Why it failed.
        reason: Option<Reason> = "timeout",
        /// When it ended.
        at: Timestamp = MOMENT,
    }
}

view! {
    /// One hour.
    HourOfCalls {
        /// When it began.
        at: Timestamp = MOMENT,
        /// Calls that ended, by when they were accepted.
        calls: u64 = 50,
        /// Of those, calls that failed.
        errors: u64 = 1,
    }
}

/// Found by the function they are about.
pub(super) type ByFunction = HashMap<FunctionId, FunctionStats>;

pub(super) fn by_function(stats: Vec<Stats>) -> ByFunction {
    stats.into_iter().map(|stats| (stats.function, stats.into())).collect()
}

impl From<Stats> for FunctionStats {
    fn from(stats: Stats) -> Self {
        let hours = stats.calls.iter().zip(&stats.errors).enumerate();
        let hours = hours.map(|(hour, (calls, errors))| HourOfCalls {
            at: (stats.first_hour + HOUR * hour as u32).into(),
            calls: *calls,
            errors: *errors,
        });
        Self {
            calls: stats.calls.iter().sum(),
            errors: stats.errors.iter().sum(),
            p95_ms: stats.p95_ms.map(milliseconds),
            hours: hours.collect(),
            last_failure: stats.last_failure.map(Failure::from),
        }
    }
}

impl From<LastFailure> for Failure {
    fn from(failure: LastFailure) -> Self {
        let LastFailure { execution, reason, at } = failure;
        Self { execution_id: execution, reason, at: at.into() }
    }
}
