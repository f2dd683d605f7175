//! One run: from a program to the request a slot understands, and from its end to an outcome.

use std::{
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path},
    sync::Arc,
    time::Duration,
};

use rustix::{
    pipe::{PipeFlags, pipe_with},
    time::{ClockId, clock_gettime},
};
use tokio_util::sync::CancellationToken;

use crate::{
    capture::Capture,
    error::RunError,
    memory_file,
    outcome::{Ended, KillReason, Outcome, Usage},
    pool::Slot,
    program::{Collect, DiskSize, Executable, Limits, Program},
    protocol::{CollectRequest, Launch, Request, SlotLimits},
    slot::{Probe, pack_files},
    watch::Watch,
    wire,
};

/// Most bytes of arguments and environment together; the rest of a packet is room for encoding.
const STRINGS_BYTES: usize = 96 * 1024;

/// A program in the form in which it is handed to a slot.
pub(crate) struct Order {
    request: Request,
    executable: Option<Arc<OwnedFd>>,
    files: Option<OwnedFd>,
    stdin: Vec<u8>,
    collect: Option<Collect>,
    limits: Limits,
}

impl Order {
    /// The disk its slot must have.
    pub(crate) fn disk(&self) -> DiskSize {
        self.limits.disk()
    }

    /// Checks what can be checked before a slot is taken.
    pub(crate) fn from_program(program: Program) -> Result<Order, RunError> {
        check_strings(&program)?;
        let (launch, argv0, executable) = match program.executable {
            Executable::File(file) => (Launch::File, "program".into(), Some(file)),
            Executable::InImage(path) => {
                let name = path.to_string_lossy().into_owned();
                (Launch::InImage(path), name, None)
            }
        };
        let files = match program.files.as_slice() {
            [] => None,
            files => Some(pack_files(files)?),
        };
        let request = Request {
            launch,
            args: [argv0].into_iter().chain(program.args).collect(),
            env: program.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            has_files: files.is_some(),
            limits: slot_limits(&program.limits),
        };
        let (stdin, collect, limits) = (program.stdin, program.collect, program.limits);
        Ok(Order { request, executable, files, stdin, collect, limits })
    }

    /// A canary's run: no program, everything else the same.
    pub(crate) fn from_probe(probe: Probe, limits: Limits) -> Order {
        let request = Request {
            launch: Launch::Canary,
            args: vec![probe.name().into()],
            env: Vec::new(),
            has_files: false,
            limits: slot_limits(&limits),
        };
        Order { request, executable: None, files: None, stdin: Vec::new(), collect: None, limits }
    }
}

/// Runs an order in the slot that `slot` brings. Dropping the future kills the run.
pub(crate) async fn run(
    slot: impl Future<Output = Result<Slot, RunError>>,
    order: Order,
    cancel: &CancellationToken,
) -> Result<Outcome, RunError> {
    let asked_at_ns = monotonic_ns();
    let slot = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(cancelled_in_the_queue()),
        slot = slot => slot?,
    };
    slot.control().set_limits(&order.limits)?;
    let (stdout, stdout_end) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    let (stderr, stderr_end) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
    let stdin = memory_file::sealed(|file| file.write_all(&order.stdin))?;
    let watch = Watch {
        stdout: Capture::new(stdout, order.limits.stdout_bytes)?,
        stderr: Capture::new(stderr, order.limits.stderr_bytes)?,
        cpu_before: slot.control().cpu_time(),
        limits: order.limits,
        collect: order
            .collect
            .map(|Collect { path, max_bytes }| CollectRequest { path, max_bytes }),
        asked_at_ns,
        slot: &slot,
    };
    let mut fds: Vec<BorrowedFd<'_>> = vec![stdin.as_fd(), stdout_end.as_fd(), stderr_end.as_fd()];
    fds.extend(order.executable.as_deref().map(AsFd::as_fd));
    fds.extend(order.files.as_ref().map(AsFd::as_fd));
    match wire::send(slot.socket().get_ref(), &order.request, &fds) {
        // The slot failed before it was asked; what it said on its way out tells more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other?,
    }
    drop((stdin, stdout_end, stderr_end, order.executable, order.files));
    watch.until_it_ends(cancel).await
}

/// CLOCK_MONOTONIC, which slots share with us.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn cancelled_in_the_queue() -> Outcome {
    Outcome {
        ended: Ended::Killed(KillReason::Cancelled),
        stdout: Vec::new(),
        stderr_times: Vec::new(),
        stderr: Vec::new(),
        stderr_truncated: false,
        collected: None,
        usage: Usage::default(),
    }
}

fn slot_limits(limits: &Limits) -> SlotLimits {
    // Per process and in whole seconds: it stands behind the watcher's own count over the tree.
    let cpu_seconds = limits.cpu_time.saturating_add(Duration::from_secs(2)).as_secs();
    SlotLimits {
        cpu_seconds,
        pids: limits.pids,
        open_files: limits.open_files,
        file_bytes: limits.file_bytes,
    }
}

fn check_strings(program: &Program) -> Result<(), RunError> {
    let env = program.env.iter().flat_map(|(name, value)| [name, value]);
    let mut bytes = 0;
    for text in program.args.iter().chain(env) {
        if text.contains('\0') {
            return Err(RunError::Malformed(text.clone()));
        }
        // Lengths and separators travel too.
        bytes += text.len() + 8;
    }
    if bytes > STRINGS_BYTES {
        return Err(RunError::TooLarge { bytes, most: STRINGS_BYTES });
    }
    let paths = program.files.iter().map(|file| &file.path);
    match paths.chain(program.collect.iter().map(|c| &c.path)).find(|path| !is_below(path)) {
        Some(path) => Err(RunError::Malformed(path.clone())),
        None => Ok(()),
    }
}

/// Relative, not empty, and never upwards.
fn is_below(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}
