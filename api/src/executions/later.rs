//! When an async call is to start: at once, after a delay, or at a moment; never further ahead than
//! its row is kept.

use std::time::Duration;

use shared::store::call::Start;
use time::OffsetDateTime;

use crate::{ApiState, problem::Problem, shape::Timestamp};

/// However long executions are kept.
const MAX_DAYS: u32 = 30;

/// Reads `delay` (seconds) and `run_at`, of which a body has one at most.
pub(super) fn start(
    state: &ApiState,
    delay_seconds: Option<u32>,
    run_at: Option<Timestamp>,
) -> Result<Start, Problem> {
    let days = state.config.retention.executions.min(MAX_DAYS);
    within(days, delay_seconds, run_at.map(Timestamp::moment), OffsetDateTime::now_utc())
}

fn within(
    max_days: u32,
    delay_seconds: Option<u32>,
    run_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Start, Problem> {
    let most = Duration::from_secs(u64::from(max_days) * 24 * 60 * 60);
    let too_far = |field, found: String| {
        let message = format!("is {found}; at most {max_days} days ahead are allowed");
        Problem::invalid_field(field, message).with("limit_days", max_days)
    };
    match (delay_seconds, run_at) {
        (Some(_), Some(_)) => {
            Err(Problem::invalid_field("run_at", "cannot stand beside 'delay'; send one of them"))
        }
        (None | Some(0), None) => Ok(Start::Now),
        (Some(seconds), None) => match Duration::from_secs(seconds.into()) {
            delay if delay > most => Err(too_far("delay", format!("{seconds} s"))),
            delay => Ok(Start::After(delay)),
        },
        (None, Some(moment)) if moment <= now => Ok(Start::Now),
        (None, Some(moment)) if moment > now + most => Err(too_far("run_at", moment.to_string())),
        (None, Some(moment)) => Ok(Start::At(moment)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const DAY: u32 = 24 * 60 * 60;

    fn after(seconds: u32) -> OffsetDateTime {
        NOW + Duration::from_secs(seconds.into())
    }

    #[test]
    fn a_call_starts_at_once_after_a_delay_or_at_a_moment() {
        let start = |delay, run_at| within(1, delay, run_at, NOW).unwrap();
        assert_eq!(start(None, None), Start::Now);
        assert_eq!(start(Some(0), None), Start::Now);
        assert_eq!(start(Some(DAY), None), Start::After(Duration::from_secs(DAY.into())));
        assert_eq!(start(None, Some(NOW)), Start::Now);
        assert_eq!(start(None, Some(after(DAY))), Start::At(after(DAY)));
    }

    #[test]
    fn what_lies_too_far_ahead_is_refused_with_the_limit() {
        let refusal = |delay, run_at| within(1, delay, run_at, NOW).unwrap_err();
        for (delay, run_at, field) in [
            (Some(DAY + 1), None, "'delay' is 86401 s"),
            (None, Some(after(DAY + 1)), "'run_at' is 1970-01-02"),
            (Some(1), Some(after(1)), "'run_at' cannot stand beside 'delay'"),
        ] {
            let problem = refusal(delay, run_at);
            assert!(problem.message.starts_with(field), "{}", problem.message);
        }
        assert_eq!(refusal(Some(DAY + 1), None).details["limit_days"], 1);
    }
}
