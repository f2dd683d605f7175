//! How a failed async call is tried again: how often, and after what delay.

use std::time::Duration;

/// A function version's retry policy. The default tries once and no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub max_retries: u16,
    /// Before the second attempt.
    pub initial_delay: Duration,
    /// However many attempts there were.
    pub max_delay: Duration,
    /// By how much each delay is longer than the one before; at least 1.
    pub backoff_factor: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 0,
            initial_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            backoff_factor: 2.0,
        }
    }
}

impl RetryPolicy {
    /// How long to wait after attempt number `failed_attempt` (from 1), or None when it was the last.
    ///
    /// `jitter`, from 0 to 1, takes up to half of the delay away. It comes after the cap, so that
    /// calls that failed together do not come back together, however long they have been failing.
    pub fn delay_after(&self, failed_attempt: u16, jitter: f64) -> Option<Duration> {
        if failed_attempt > self.max_retries {
            return None;
        }
        let growth = self.backoff_factor.powi(i32::from(failed_attempt.saturating_sub(1)));
        let seconds = self.initial_delay.as_secs_f64() * growth;
        // Also right when the power overflowed to infinity.
        let capped = seconds.min(self.max_delay.as_secs_f64());
        Some(Duration::from_secs_f64(capped * (1.0 - jitter.clamp(0.0, 1.0) / 2.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECONDS: [u64; 5] = [0, 1, 500, 60_000, 86_400_000];
    const FACTORS: [f64; 4] = [1.0, 1.5, 2.0, 100.0];
    const JITTERS: [f64; 5] = [0.0, 0.001, 0.5, 0.999, 1.0];

    fn policies() -> impl Iterator<Item = RetryPolicy> {
        MILLISECONDS.into_iter().flat_map(|initial| {
            MILLISECONDS.into_iter().flat_map(move |max| {
                FACTORS.into_iter().map(move |backoff_factor| RetryPolicy {
                    max_retries: 100,
                    initial_delay: Duration::from_millis(initial),
                    max_delay: Duration::from_millis(max),
                    backoff_factor,
                })
            })
        })
    }

    #[test]
    fn a_delay_lies_between_half_of_the_capped_backoff_and_all_of_it() {
        for policy in policies() {
            for attempt in 1..=100 {
                let whole = policy.delay_after(attempt, 0.0).unwrap();
                assert!(whole <= policy.max_delay);
                assert!(whole >= policy.initial_delay.min(policy.max_delay));
                for jitter in JITTERS {
                    let delay = policy.delay_after(attempt, jitter).unwrap();
                    let slack = Duration::from_nanos(1);
                    assert!(delay <= whole && delay + slack >= whole / 2, "{policy:?} {attempt}");
                }
            }
        }
    }

    #[test]
    fn without_jitter_delays_never_shrink_and_jitter_spreads_even_capped_ones() {
        for policy in policies() {
            let delay = |attempt, jitter| policy.delay_after(attempt, jitter).unwrap();
            assert!((1..100).all(|attempt| delay(attempt, 0.0) <= delay(attempt + 1, 0.0)));
            let capped = delay(100, 0.0);
            assert!(capped < Duration::from_millis(1) || delay(100, 1.0) < capped);
        }
    }

    #[test]
    fn the_last_attempt_is_not_followed_by_another() {
        let policy = RetryPolicy { max_retries: 2, ..RetryPolicy::default() };
        assert_eq!(policy.delay_after(1, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(policy.delay_after(2, 0.0), Some(Duration::from_secs(2)));
        assert_eq!(policy.delay_after(3, 0.0), None);
        assert_eq!(RetryPolicy::default().delay_after(1, 0.0), None);
    }
}
