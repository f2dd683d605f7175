//! Calls and builds, as the worker saw them that carried them out.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::Label;
use crate::domain::{FunctionId, Reason};

/// Functions that a process tells apart; those that come later are counted together as `other`.
pub(super) const MAX_FUNCTIONS: usize = 1000;

/// Upper bounds in seconds: from a quick start to the longest call of a plan.
const CALL_BUCKETS: [f64; 16] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    300.0,
];
const BUILD_BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0];

/// What became of calls and builds.
#[derive(Debug, Clone)]
pub struct Functions {
    invocations: Family<[(&'static str, String); 2], Counter>,
    durations: Family<[Label; 1], Histogram>,
    errors: Family<[Label; 1], Counter>,
    compiles: Family<[Label; 2], Histogram>,
    known: Arc<Mutex<HashSet<FunctionId>>>,
}

impl Functions {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new = Self {
            invocations: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(CALL_BUCKETS)),
            errors: Family::default(),
            compiles: Family::new_with_constructor(|| Histogram::new(BUILD_BUCKETS)),
            known: Arc::default(),
        };
        let help = "Calls that ended, by function and status";
        registry.register("functions_invocations", help, new.invocations.clone());
        let help = "Where the time of a call went: queue, setup, run, store";
        registry.register_with_unit(
            "functions_duration",
            help,
            Unit::Seconds,
            new.durations.clone(),
        );
        let help = "Calls that did not complete, by reason";
        registry.register("functions_errors", help, new.errors.clone());
        let help = "Builds that ended, by runtime and status";
        registry.register_with_unit(
            "functions_compile_duration",
            help,
            Unit::Seconds,
            new.compiles.clone(),
        );
        new
    }

    /// A call has ended and its outcome is written; no reason means that it completed. `phases` are
    /// parts of its time: `queue`, `setup`, `run`, `store`.
    pub fn ended(
        &self,
        function: FunctionId,
        reason: Option<Reason>,
        phases: &[(&'static str, Duration)],
    ) {
        let status = match reason {
            None => "completed",
            Some(Reason::Cancelled) => "cancelled",
            Some(_) => "failed",
        };
        let labels = [("function", self.label_of(function)), ("status", status.to_owned())];
        self.invocations.get_or_create(&labels).inc();
        if let Some(reason) = reason {
            self.errors.get_or_create(&[("reason", reason.as_str())]).inc();
        }
        for (phase, took) in phases {
            self.durations.get_or_create(&[("phase", phase)]).observe(took.as_secs_f64());
        }
    }

    /// A build has ended. `runtime` is `go` or `rust`.
    pub fn built(&self, runtime: &'static str, succeeded: bool, took: Duration) {
        let status = if succeeded { "succeeded" } else { "failed" };
        let labels = [("runtime", runtime), ("status", status)];
        self.compiles.get_or_create(&labels).observe(took.as_secs_f64());
    }

    fn label_of(&self, function: FunctionId) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&function) || (known.len() < MAX_FUNCTIONS && known.insert(function)) {
            return function.to_string();
        }
        "other".to_owned()
    }
}
