//! Watches one run until it has ended: streams, deadline, processor time, cancellation, status.
//!
//! The first cause of an end is recorded once. The main process's exit ends the run; the end of its
//! output does not, and a daemon that holds the output open delays nothing.

use std::{os::fd::OwnedFd, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    capture::Capture,
    error::RunError,
    link::receive,
    outcome::{KillReason, Outcome, Usage},
    pool::Slot,
    program::Limits,
    protocol::{CollectRequest, MainEnd, Status},
    run::monotonic_ns,
    verdict::{Facts, conclude},
    wire,
};

/// How long a killed slot may take to be dead before the run is given up as lost. A fork bomb on a
/// busy machine takes a tenth of a second.
const DEATH_PATIENCE: Duration = Duration::from_secs(10);
/// How long init may take to open one file.
const COLLECT_PATIENCE: Duration = Duration::from_secs(10);
/// Keeps arithmetic on limits far from overflow.
const LONGEST_RUN: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Shortest pause between two looks at the processor time.
const CPU_CHECK_PAUSE: Duration = Duration::from_millis(2);

/// A run that was just requested.
pub(crate) struct Watch<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) limits: Limits,
    pub(crate) stdout: Capture,
    pub(crate) stderr: Capture,
    pub(crate) collect: Option<CollectRequest>,
    /// Processor time the slot used before the request.
    pub(crate) cpu_before: Duration,
    pub(crate) asked_at_ns: u64,
}

/// What init told about the main process.
#[derive(Debug, Clone, Copy)]
struct MainStatus {
    how: MainEnd,
    launched_at_ns: u64,
    ended_at_ns: u64,
    disk_full: bool,
}

impl Watch<'_> {
    /// Waits for the end, whatever brings it.
    pub(crate) async fn until_it_ends(
        mut self,
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        let requested_at_ns = monotonic_ns();
        let (killed_for, main) = match self.until_something_ends_it(cancel).await? {
            Event::Ended(main) => (None, Some(main)),
            Event::Vanished => (None, None),
            Event::Kill(reason) => {
                self.slot.kill();
                (Some(reason), self.wait_for_death().await?)
            }
        };
        self.stdout.drain();
        self.stderr.drain();
        let collected = match (killed_for, main, self.collect.take()) {
            (None, Some(_), Some(request)) => self.collect(&request).await?,
            _ => None,
        };
        // Nobody tells, or the main process died before it became the program.
        let told_ns = main.map(|main| main.launched_at_ns).filter(|told_ns| *told_ns > 0);
        let launched_at_ns = told_ns.unwrap_or(requested_at_ns);
        let usage = self.usage(main, launched_at_ns);
        let facts = Facts {
            killed_for,
            stdout_overflowed: self.stdout.overflowed,
            out_of_memory: self.slot.control().ran_out_of_memory(),
            out_of_pids: self.slot.control().ran_out_of_pids(),
            out_of_cpu: usage.cpu_time >= self.limits.cpu_time,
            disk_full: main.is_some_and(|main| main.disk_full),
            main: main.map(|main| main.how),
        };
        Ok(Outcome {
            ended: conclude(facts).ok_or(RunError::Lost)?,
            stdout: self.stdout.kept,
            stderr_times: self.stderr.times_since(launched_at_ns),
            stderr: self.stderr.kept,
            stderr_truncated: self.stderr.overflowed,
            collected: collected.map(Into::into),
            usage,
        })
    }

    async fn until_something_ends_it(
        &mut self,
        cancel: &CancellationToken,
    ) -> Result<Event, RunError> {
        let deadline = Instant::now() + self.limits.wall_time.min(LONGEST_RUN);
        let mut cpu_check = Instant::now() + self.until_cpu_limit();
        loop {
            tokio::select! {
                status = receive::<Status>(self.slot.socket()) => match status?.map(|p| p.message) {
                    Some(Status::Ended { how, launched_at_ns, ended_at_ns, disk_full }) => {
                        let main = MainStatus { how, launched_at_ns, ended_at_ns, disk_full };
                        return Ok(Event::Ended(main));
                    }
                    Some(Status::NotLaunched(failure)) => return Err(failure.into()),
                    Some(Status::Connected | Status::Primed | Status::Collected) => {}
                    None => return Ok(Event::Vanished),
                },
                () = self.stdout.fill() => {
                    if self.stdout.overflowed {
                        return Ok(Event::Kill(KillReason::OutputLimit));
                    }
                }
                () = self.stderr.fill() => {}
                () = sleep_until(deadline) => return Ok(Event::Kill(KillReason::Timeout)),
                () = sleep_until(cpu_check) => {
                    let left = self.until_cpu_limit();
                    if left.is_zero() {
                        return Ok(Event::Kill(KillReason::CpuLimit));
                    }
                    cpu_check = Instant::now() + left.max(CPU_CHECK_PAUSE);
                }
                () = cancel.cancelled() => return Ok(Event::Kill(KillReason::Cancelled)),
            }
        }
    }

    /// The least time in which the limit could be reached with every allowed core busy.
    fn until_cpu_limit(&self) -> Duration {
        let left = self.limits.cpu_time.min(LONGEST_RUN).saturating_sub(self.cpu_time());
        left.mul_f64(1000.0 / f64::from(self.limits.cpu_millicores.max(1)))
    }

    fn cpu_time(&self) -> Duration {
        self.slot.control().cpu_time().saturating_sub(self.cpu_before)
    }

    /// A status that was already on its way still counts.
    async fn wait_for_death(&mut self) -> Result<Option<MainStatus>, RunError> {
        let last_words = async {
            let mut main = None;
            while let Some(packet) = receive::<Status>(self.slot.socket()).await? {
                if let Status::Ended { how, launched_at_ns, ended_at_ns, disk_full } =
                    packet.message
                {
                    main = Some(MainStatus { how, launched_at_ns, ended_at_ns, disk_full });
                }
            }
            Ok(main)
        };
        timeout(DEATH_PATIENCE, last_words).await.map_err(|_| RunError::Lost)?
    }

    async fn collect(&self, request: &CollectRequest) -> Result<Option<OwnedFd>, RunError> {
        wire::send(self.slot.socket().get_ref(), request, &[])?;
        let answer = timeout(COLLECT_PATIENCE, receive::<Status>(self.slot.socket())).await;
        match answer.map_err(|_| RunError::Lost)?? {
            Some(packet) => Ok(packet.fds.into_iter().next()),
            None => Err(RunError::Lost),
        }
    }

    fn usage(&self, main: Option<MainStatus>, launched_at_ns: u64) -> Usage {
        let ended_at_ns = main.map_or_else(monotonic_ns, |main| main.ended_at_ns);
        let (exit_status, signal) = match main.map(|main| main.how) {
            Some(MainEnd::Exited(status)) => (Some(status), None),
            Some(MainEnd::Signalled(signal)) => (None, Some(signal)),
            None => (None, Some(libc::SIGKILL)),
        };
        Usage {
            setup_time: Duration::from_nanos(launched_at_ns.saturating_sub(self.asked_at_ns)),
            wall_time: Duration::from_nanos(ended_at_ns.saturating_sub(launched_at_ns)),
            cpu_time: self.cpu_time(),
            peak_memory_bytes: self.slot.control().peak_memory_bytes(),
            signal,
            exit_status,
        }
    }
}

/// What ended the wait.
enum Event {
    /// The main process ended by itself.
    Ended(MainStatus),
    /// Init died without a word: killed for memory together with the rest, or by somebody else.
    Vanished,
    /// It has to be ended.
    Kill(KillReason),
}
