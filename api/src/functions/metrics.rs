//! GET /functions/{function_id}/metrics

use serde_json::json;
use shared::{
    domain::{FunctionId, Window},
    store::function_numbers::{self, Numbers},
};

use super::access;
use crate::{
    ApiState,
    answer::Okay,
    auth::Caller,
    examples::{FUNCTION, MOMENT},
    permission::Action,
    problem::Problem,
    shape::{Timestamp, mebibytes, milliseconds, view},
};

view! {
    /// What a function did over a window up to now. Counted are calls that ended, by when they were
    /// accepted.
    FunctionMetrics {
        /// The function.
        function_id: FunctionId = FUNCTION,
        /// The window.
        window: Window = "24h",
        /// When its first step began.
        from: Timestamp = MOMENT,
        /// Since when every call is counted; later than `from` when there were very many.
        complete_since: Timestamp = MOMENT,
        /// Calls that ended.
        calls: u64 = 1200,
        /// Of those, calls that failed.
        errors: u64 = 3,
        /// The part of the calls that failed, from 0 to 1; 0 without any.
        error_rate: f64 = 0.0025,
        /// How long programs ran.
        duration: Durations = Durations::example(),
        /// What memory they took.
        memory: MemoryTaken = MemoryTaken::example(),
        /// The part of the calls, from 0 to 1, whose program needed 5 ms or more to start; null
        /// without any.
        cold_share: Option<f64> = 0.01,
        /// How long one step of the series is, in seconds.
        step_seconds: u64 = 900,
        /// Step by step, the oldest first; the last one is still going on.
        series: Vec<StepOfCalls> = json!([StepOfCalls::example()]),
    }
}

view! {
    /// How long programs ran, in milliseconds; null without any.
    Durations {
        /// Half of them no longer than this.
        p50: Option<f64> = 1.8,
        /// 95 of 100 no longer than this.
        p95: Option<f64> = 4.2,
        /// 99 of 100 no longer than this.
        p99: Option<f64> = 9.1,
    }
}

view! {
    /// Most memory that calls held, in MiB; null without any.
    MemoryTaken {
        /// On average.
        average: Option<f64> = 4.2,
        /// The call that held most.
        peak: Option<f64> = 6.5,
    }
}

view! {
    /// One step of the series.
    StepOfCalls {
        /// When it began.
        at: Timestamp = MOMENT,
        /// Calls that ended.
        calls: u64 = 50,
        /// Of those, calls that failed.
        errors: u64 = 1,
        /// 95 of 100 programs ran no longer than this, in milliseconds; null without any.
        p95_ms: Option<f64> = 4.2,
    }
}

pub(super) async fn metrics(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    window: Window,
) -> Result<Okay<FunctionMetrics>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    access::find(&mut tx, caller, id, Action::ReadFunction).await?;
    let found = function_numbers::metrics(&mut tx, caller.actor.tenant, id, window).await?;
    let step = |(number, numbers): (usize, &Numbers)| StepOfCalls {
        at: (found.first + window.step() * number as u32).into(),
        calls: numbers.calls,
        errors: numbers.errors,
        p95_ms: numbers.run_ms.map(|[_, p95, _]| milliseconds(p95)),
    };
    let total = &found.total;
    Ok(Okay::new(FunctionMetrics {
        function_id: id,
        window,
        from: found.first.into(),
        complete_since: found.complete_since.into(),
        calls: total.calls,
        errors: total.errors,
        error_rate: total.errors as f64 / total.calls.max(1) as f64,
        duration: Durations {
            p50: total.run_ms.map(|[p50, ..]| milliseconds(p50)),
            p95: total.run_ms.map(|[_, p95, _]| milliseconds(p95)),
            p99: total.run_ms.map(|[.., p99]| milliseconds(p99)),
        },
        memory: MemoryTaken {
            average: total.memory_average.map(|bytes| mebibytes(bytes as u64)),
            peak: total.memory_peak.map(mebibytes),
        },
        cold_share: total.cold_share,
        step_seconds: window.step().as_secs(),
        series: found.steps.iter().enumerate().map(step).collect(),
    }))
}
