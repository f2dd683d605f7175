//! What functions did lately, in numbers. The cost of asking is bounded: of a busy function only so
//! many of the last calls are looked at, and the answer says how far back those reach.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Db, StoreError, Tx, execution_report::plan_for_values};
use crate::domain::{ExecutionId, FunctionId, Reason, TenantId, Window};

/// Calls of one function that a list looks at.
const MAX_LISTED_CALLS: i64 = 5_000;
/// Calls that the numbers of one function look at: some tenths of a second of the database's work.
const MAX_CALLS: i64 = 100_000;

/// From here on a start counts as cold, in milliseconds. Sandboxes that were made ready ahead start
/// programs in some tenths of one.
pub const COLD_START_MS: f64 = 5.0;

/// The last 24 hours of one function.
#[derive(Debug)]
pub struct Stats {
    /// Which one.
    pub function: FunctionId,
    /// When the first of the hours began.
    pub first_hour: OffsetDateTime,
    /// Calls that ended, of 24 hours, the oldest first.
    pub calls: Vec<u64>,
    /// Of those, calls that failed.
    pub errors: Vec<u64>,
    /// 95 of 100 programs ran no longer, in milliseconds; None without any.
    pub p95_ms: Option<f64>,
    /// Of all that are kept.
    pub last_failure: Option<LastFailure>,
}

/// A call that failed.
#[derive(Debug)]
pub struct LastFailure {
    /// Which one.
    pub execution: ExecutionId,
    /// Why.
    pub reason: Option<Reason>,
    /// When it ended.
    pub at: OffsetDateTime,
}

/// The last day of each of these functions, in one statement, in no order.
pub async fn stats(
    db: &Db,
    tenant: TenantId,
    functions: &[FunctionId],
) -> Result<Vec<Stats>, StoreError> {
    let functions: Vec<_> = functions.iter().map(|id| id.0).collect();
    let rows =
        sqlx::query_file!("src/store/function_stats.sql", tenant.0, &functions, MAX_LISTED_CALLS)
            .fetch_all(db.autocommit_for(tenant))
            .await?;
    let stats = rows.into_iter().map(|row| Stats {
        function: FunctionId(row.function_id),
        first_hour: row.first_hour,
        calls: counts(row.calls),
        errors: counts(row.errors),
        p95_ms: row.p95,
        last_failure: row.failed_id.zip(row.failed_at).map(|(id, at)| LastFailure {
            execution: ExecutionId(id),
            reason: row.failed_reason.as_deref().and_then(|reason| reason.parse().ok()),
            at,
        }),
    });
    Ok(stats.collect())
}

fn counts(counts: Vec<i64>) -> Vec<u64> {
    counts.into_iter().map(i64::unsigned_abs).collect()
}

/// What a function did over a window, or in one step of it.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    /// Calls that ended.
    pub calls: u64,
    /// Of those, calls that failed.
    pub errors: u64,
    /// Half, 95 and 99 of 100 programs ran no longer, in milliseconds.
    pub run_ms: Option<[f64; 3]>,
    /// Most memory of a call, in bytes: the average.
    pub memory_average: Option<f64>,
    /// Most memory of any call, in bytes.
    pub memory_peak: Option<u64>,
    /// The part of the calls, from 0 to 1, that started cold.
    pub cold_share: Option<f64>,
}

/// What a function did over a window.
#[derive(Debug)]
pub struct Metrics {
    /// When the first step began.
    pub first: OffsetDateTime,
    /// Since when every call is counted; later than `first` for a busy function.
    pub complete_since: OffsetDateTime,
    /// All steps together.
    pub total: Numbers,
    /// As many as the window has, the oldest first.
    pub steps: Vec<Numbers>,
}

/// The numbers of a function. Whoever asks has been let in to it.
pub async fn metrics(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    window: Window,
) -> Result<Metrics, StoreError> {
    plan_for_values(tx).await?;
    let rows = sqlx::query_file!(
        "src/store/function_metrics.sql",
        tenant.0,
        function.0,
        seconds(window.step()),
        i32::try_from(window.steps()).unwrap_or(i32::MAX),
        MAX_CALLS,
        COLD_START_MS,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut steps = vec![Numbers::default(); window.steps() as usize];
    let mut all = None;
    for row in rows {
        let numbers = Numbers {
            calls: row.calls.unsigned_abs(),
            errors: row.errors.unsigned_abs(),
            run_ms: row.durations.and_then(|durations| durations.try_into().ok()),
            memory_average: row.memory_average,
            memory_peak: row.memory_peak.map(i64::unsigned_abs),
            cold_share: row.cold_share,
        };
        if row.is_total {
            all = Some((row.first, row.oldest, numbers));
        } else if let Some(step) = usize::try_from(row.step).ok().and_then(|at| steps.get_mut(at)) {
            *step = numbers;
        }
    }
    let (first, oldest, total) =
        all.ok_or_else(|| StoreError::unreadable("numbers without a total"))?;
    let is_cut = total.calls >= MAX_CALLS.unsigned_abs();
    let complete_since = oldest.filter(|_| is_cut).unwrap_or(first);
    Ok(Metrics { first, complete_since, total, steps })
}

fn seconds(step: Duration) -> f64 {
    step.as_secs_f64()
}
