//! A server that is busy, or has answered enough for this minute, says when to come back
//! (`Retry-After`). Commands do, for a while, so that nobody has to write that loop.

use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::output;

/// Waiting for one request, all in all; the longest limit on requests is one of a minute.
const MAX_WAITING: Duration = Duration::from_secs(90);
/// A server that says "at once" is not asked in a circle.
const LEAST: Duration = Duration::from_millis(200);

/// The waiting of one request.
pub(super) struct Busy {
    began: Instant,
    /// A program that reads envelopes is told nothing else.
    is_quiet: bool,
}

impl Busy {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { began: Instant::now(), is_quiet }
    }

    /// Waits as an answer asks for. False when it does not ask, or for longer than anybody waits.
    pub(super) async fn wait(&self, status: u16, headers: &HeaderMap) -> bool {
        let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let Some(pause) = pause(status, asked, self.began.elapsed()) else { return false };
        if !self.is_quiet {
            let why =
                if status == 429 { "that is more than is allowed" } else { "the server is busy" };
            output::say(format_args!("{why}: trying again in {:.1} s", pause.as_secs_f64()));
        }
        tokio::time::sleep(pause).await;
        true
    }
}

/// How long to wait before the same request again, if at all. Only these two say that nothing was done.
fn pause(status: u16, asked_seconds: Option<u64>, waited: Duration) -> Option<Duration> {
    let pause = Duration::from_secs(asked_seconds?).max(LEAST);
    (matches!(status, 429 | 503) && waited.saturating_add(pause) <= MAX_WAITING).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_is_asked_again_when_the_server_says_so_and_not_for_ever() {
        let seconds = Duration::from_secs;
        for (status, asked, waited, expected) in [
            (429, Some(2), 0, Some(seconds(2))),
            (503, Some(60), 30, Some(seconds(60))),
            (503, Some(0), 0, Some(LEAST)),
            (503, Some(60), 31, None),
            (503, Some(u64::MAX), 0, None),
            (429, None, 0, None),
            (500, Some(1), 0, None),
            (409, Some(1), 0, None),
        ] {
            assert_eq!(
                pause(status, asked, seconds(waited)),
                expected,
                "{status} {asked:?} {waited}"
            );
        }
    }
}
