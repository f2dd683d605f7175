//! Watches one run until it has ended: streams, deadline, processor time, cancellation, status.
//!
//! The first cause of an end is recorded once. The main process's exit ends the run; the end of its
//! output does not, and a daemon that holds the output open delays nothing.

use std::{io, os::fd::OwnedFd, time::Duration};

use tokio::{
    io::{Interest, unix::AsyncFd},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::RunError,
    link::receive,
    outcome::{Ended, KillReason, Outcome, Usage},
    pool::Slot,
    program::Limits,
    protocol::{CollectRequest, MainEnd, Status},
    run::monotonic_ns,
    sys, wire,
};

/// How long a killed slot may take to be dead before the run is given up as lost. A fork bomb on a
/// busy machine takes a tenth of a second.
const DEATH_PATIENCE: Duration = Duration::from_secs(10);
/// How long init may take to open one file.
const COLLECT_PATIENCE: Duration = Duration::from_secs(10);
/// Shortest pause between two looks at the processor time.
const CPU_CHECK_PAUSE: Duration = Duration::from_millis(2);

/// Taken from a stream at a time.
const READ_BYTES: usize = 16 << 10;
/// What a pipe holds unless somebody enlarges it, which the filter prevents.
const PIPE_BYTES: usize = 64 << 10;
/// Reads closer together than this share one time, so that a long run of single bytes stays small.
const TIME_GRAIN_NS: u64 = 10_000_000;

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

/// Everything that decides how a run is said to have ended.
#[derive(Debug, Clone, Copy)]
struct Facts {
    killed_for: Option<KillReason>,
    stdout_overflowed: bool,
    out_of_memory: bool,
    out_of_pids: bool,
    out_of_cpu: bool,
    disk_full: bool,
    main: Option<MainEnd>,
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
        let launched_at_ns = main.map_or(requested_at_ns, |main| main.launched_at_ns);
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
        let deadline = Instant::now() + self.limits.wall_time;
        let mut cpu_check = Instant::now() + self.until_cpu_limit();
        loop {
            tokio::select! {
                status = receive::<Status>(self.slot.socket()) => match status?.map(|p| p.message) {
                    Some(Status::Ended { how, launched_at_ns, ended_at_ns, disk_full }) => {
                        let main = MainStatus { how, launched_at_ns, ended_at_ns, disk_full };
                        return Ok(Event::Ended(main));
                    }
                    Some(Status::NotLaunched(failure)) => return Err(failure.into()),
                    Some(Status::Primed | Status::Collected) => {}
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
        let left = self.limits.cpu_time.saturating_sub(self.cpu_time());
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

/// How the run ended, by the order of causes; None when nobody knows.
fn conclude(facts: Facts) -> Option<Ended> {
    if let Some(reason) = facts.killed_for {
        return Some(Ended::Killed(reason));
    }
    if facts.stdout_overflowed {
        return Some(Ended::Killed(KillReason::OutputLimit));
    }
    if facts.out_of_memory {
        return Some(Ended::Killed(KillReason::OutOfMemory));
    }
    Some(match facts.main? {
        MainEnd::Exited(0) => Ended::Exited(0),
        MainEnd::Signalled(libc::SIGSYS) => Ended::Killed(KillReason::SandboxViolation),
        MainEnd::Signalled(libc::SIGXFSZ) => Ended::Killed(KillReason::DiskLimit),
        MainEnd::Signalled(libc::SIGXCPU) => Ended::Killed(KillReason::CpuLimit),
        // The limit per process has no signal of its own when it is hard.
        MainEnd::Signalled(libc::SIGKILL) if facts.out_of_cpu => {
            Ended::Killed(KillReason::CpuLimit)
        }
        _ if facts.out_of_pids => Ended::Killed(KillReason::PidsLimit),
        _ if facts.disk_full => Ended::Killed(KillReason::DiskLimit),
        MainEnd::Exited(status) => Ended::Exited(status),
        MainEnd::Signalled(signal) => Ended::Signalled(signal),
    })
}

/// One stream of a run, kept up to a limit.
pub(crate) struct Capture {
    pipe: Option<AsyncFd<OwnedFd>>,
    kept: Vec<u8>,
    /// How much had been kept, and when that was.
    times: Vec<(usize, u64)>,
    limit_bytes: usize,
    /// More came than was kept.
    overflowed: bool,
}

impl Capture {
    pub(crate) fn new(pipe: OwnedFd, limit_bytes: usize) -> io::Result<Capture> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let pipe = Some(sys::watched(pipe, Interest::READABLE)?);
        Ok(Capture { pipe, kept: Vec::new(), times: Vec::new(), limit_bytes, overflowed: false })
    }

    /// Waits for more and takes it. Never returns once the stream has ended.
    async fn fill(&mut self) {
        let Some(pipe) = &self.pipe else { return std::future::pending().await };
        let Ok(mut ready) = pipe.readable().await else { return self.pipe = None };
        let mut buffer = [0; READ_BYTES];
        // `Err` here means that nothing is left and that the next call will wait.
        if let Ok(read) = ready.try_io(|pipe| Ok(rustix::io::read(pipe, &mut buffer)?)) {
            match read {
                Ok(length) if length > 0 => self.keep(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => self.pipe = None,
            }
        }
    }

    /// Takes what is there already: at most what a pipe holds, since a daemon may go on writing.
    fn drain(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let mut buffer = [0; READ_BYTES];
        let mut kept = Vec::new();
        while kept.len() < PIPE_BYTES {
            match rustix::io::read(pipe.get_ref(), &mut buffer) {
                Ok(length) if length > 0 => kept.extend_from_slice(&buffer[..length]),
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => break,
            }
        }
        self.keep(&kept);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limit_bytes - self.kept.len();
        self.overflowed |= bytes.len() > room;
        if room == 0 {
            return;
        }
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let now_ns = monotonic_ns();
        match self.times.last_mut() {
            Some((end, at_ns)) if now_ns - *at_ns < TIME_GRAIN_NS => *end = self.kept.len(),
            _ => self.times.push((self.kept.len(), now_ns)),
        }
    }

    fn times_since(&self, start_ns: u64) -> Vec<(usize, Duration)> {
        let since = |at_ns: u64| Duration::from_nanos(at_ns.saturating_sub(start_ns));
        self.times.iter().map(|(end, at_ns)| (*end, since(*at_ns))).collect()
    }
}
