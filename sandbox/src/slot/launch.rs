//! PID 2 of a slot: gives up every right, waits for the one request, becomes the program.
//!
//! Everything that can be done ahead of the request is done before this starts to wait, the filter
//! last; what follows is the hot path, and it has no more rights than the program.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use rustix::{
    fs::Mode,
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, chdir, getrlimit, setrlimit, setsid, umask},
    stdio,
    thread::{CapabilitySet, disable_transparent_huge_pages, futex},
};

use super::{canary, disk, identity, init::SlotSetup};
use crate::{
    error::{Failure, Stage},
    image::{Profile, TMP_DIR, WORK_DIR},
    protocol::{Launch, Request, SlotLimits, Status},
    run::monotonic_ns,
    seccomp::{LAUNCH_FD, filter_for},
    sys, wire,
};

/// Memory in which init and PID 2 leave word for each other: PID 2 can say nothing once it is the
/// program.
#[derive(Default)]
pub(super) struct Board {
    /// Not 0 once PID 2 may use the memory it shares with init.
    go: AtomicU32,
    launched_at_ns: AtomicU64,
    failure: AtomicU64,
}

impl Board {
    /// Lives as long as the slot.
    pub(super) fn new() -> &'static Board {
        Box::leak(Box::default())
    }

    /// From here on this process must leave its memory alone until PID 2 has left it.
    pub(super) fn let_main_go(&self) {
        self.go.store(1, Ordering::Release);
        // Fails only for an address that is not mapped.
        let _ = futex::wake(&self.go, futex::Flags::PRIVATE, 1);
    }

    fn wait_for_init(&self) {
        while self.go.load(Ordering::Acquire) == 0 {
            // Woken, interrupted, or told that it went on already: the value decides.
            let _ = futex::wait(&self.go, futex::Flags::PRIVATE, 0, None);
        }
    }

    /// 0 when the program never started.
    pub(super) fn launched_at_ns(&self) -> u64 {
        self.launched_at_ns.load(Ordering::Acquire)
    }

    fn note_launch(&self) {
        self.launched_at_ns.store(monotonic_ns(), Ordering::Release);
    }

    /// The step that failed, if one did.
    pub(super) fn failure(&self) -> Option<Failure> {
        let noted = self.failure.load(Ordering::Acquire);
        let stage = *STAGES.get((noted >> 32).checked_sub(1)? as usize)?;
        Some(Failure { stage, errno: noted as u32 as i32 })
    }

    fn note_failure(&self, failure: Failure) {
        let stage = STAGES.iter().position(|stage| *stage == failure.stage).unwrap_or(0) as u64;
        let noted = ((stage + 1) << 32) | u64::from(failure.errno as u32);
        self.failure.store(noted, Ordering::Release);
    }
}

/// The steps of this file, by the number they have on the board.
const STAGES: [Stage; 6] = [
    Stage::Identity,
    Stage::Filter,
    Stage::Receive,
    Stage::LayOutFiles,
    Stage::Rlimits,
    Stage::Exec,
];

/// Serves the one request of this slot.
pub(super) fn run(setup: &SlotSetup<'_>, socket: &OwnedFd, board: &Board) -> ! {
    board.wait_for_init();
    let failure = launch(setup, socket, board);
    board.note_failure(failure);
    sys::exit_now(1)
}

/// Returns only what went wrong.
fn launch(setup: &SlotSetup<'_>, socket: &OwnedFd, board: &Board) -> Failure {
    let ready = give_up_rights(setup).and_then(|()| prepare(setup, socket));
    match ready {
        Ok(ready) => become_program(ready, setup, board),
        Err(failure) => failure,
    }
}

/// Becomes the slot's user under the filter. What is left to do is among what the filter lets pass.
fn give_up_rights(setup: &SlotSetup<'_>) -> Result<(), Failure> {
    setup.steps.take(Stage::Identity, || {
        setsid()?;
        umask(Mode::from_raw_mode(0o022));
        // For the program, not for us: see `execute`. A kernel that knows of none refuses.
        let _ = disable_transparent_huge_pages(false);
        identity::become_user(setup.uid, CapabilitySet::empty())?;
        chdir(working_directory(setup.profile))?;
        lower_rlimits(FIXED_RLIMITS)
    })?;
    setup.steps.take(Stage::Filter, || sys::install_filter(filter_for(setup.profile)))
}

/// Everything execve needs, made while memory may still be allocated freely.
struct Ready {
    launch: Launch,
    executable: Option<OwnedFd>,
    path: CString,
    args: Vec<CString>,
    env: Vec<CString>,
    pids: u32,
}

fn prepare(setup: &SlotSetup<'_>, socket: &OwnedFd) -> Result<Ready, Failure> {
    let steps = setup.steps;
    let (request, mut fds) = steps.take(Stage::Receive, || receive(socket))?;
    let limits = request.limits;
    let files = if request.has_files { fds.pop() } else { None };
    let executable = steps.take(Stage::Receive, || take_stdio(&request.launch, fds))?;
    steps.take(Stage::LayOutFiles, || files.map_or(Ok(()), disk::lay_out))?;
    steps.take(Stage::Rlimits, || lower_rlimits(&rlimits(&limits)))?;
    steps.take(Stage::Exec, || {
        let path = match &request.launch {
            Launch::InImage(path) => path.as_path(),
            Launch::File | Launch::Canary => Path::new(""),
        };
        Ok(Ready {
            executable,
            path: CString::new(path.as_os_str().as_bytes())?,
            args: c_strings(&request.args)?,
            env: c_strings(&request.env)?,
            pids: limits.pids,
            launch: request.launch,
        })
    })
}

fn receive(socket: &OwnedFd) -> io::Result<(Request, Vec<OwnedFd>)> {
    wire::send(socket, &Status::Primed, &[])?;
    let Some(packet) = wire::receive_and_leak::<Request>(socket)? else {
        // The worker let go of a slot it never used.
        sys::exit_now(0)
    };
    let request = packet.message;
    let expected =
        3 + usize::from(matches!(request.launch, Launch::File)) + usize::from(request.has_files);
    if packet.fds.len() != expected {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((request, packet.fds))
}

/// Puts the three streams in place and the executable where the filter expects it.
fn take_stdio(launch: &Launch, fds: Vec<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    stdio::dup2_stdin(&fds[0])?;
    stdio::dup2_stdout(&fds[1])?;
    stdio::dup2_stderr(&fds[2])?;
    let executable = match launch {
        Launch::File => {
            let executable = fcntl_dupfd_cloexec(&fds[3], LAUNCH_FD)?;
            if executable.as_raw_fd() != LAUNCH_FD {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Some(executable)
        }
        Launch::InImage(_) | Launch::Canary => None,
    };
    sys::mark_all_close_on_exec()?;
    Ok(executable)
}

fn working_directory(profile: Profile) -> &'static str {
    match profile {
        Profile::Function | Profile::Networked => TMP_DIR,
        Profile::Build => WORK_DIR,
    }
}

/// Per-process limits that are the same for every run.
const FIXED_RLIMITS: &[(Resource, u64)] = &[
    // One byte: too little for a file, and the one value at which the kernel does not start a piped
    // core handler, which would run on the host (fs/coredump.c).
    (Resource::Core, 1),
    (Resource::Stack, 8 << 20),
    (Resource::Memlock, 64 << 10),
    (Resource::Msgqueue, 0),
    (Resource::Rtprio, 0),
    (Resource::Nice, 0),
    (Resource::Sigpending, 1024),
];

/// Per-process limits of this run. Most stand behind a limit over the whole tree.
fn rlimits(limits: &SlotLimits) -> [(Resource, u64); 4] {
    // A little above the group's limit, which must be the one that is hit: only it is counted.
    let processes = u64::from(limits.pids) + 8;
    [
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Nproc, processes),
        (Resource::Cpu, limits.cpu_seconds),
    ]
}

fn lower_rlimits(table: &[(Resource, u64)]) -> io::Result<()> {
    for &(resource, value) in table {
        // Without capabilities a limit can only go down.
        let highest = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let value = Some(value.min(highest));
        setrlimit(resource, Rlimit { current: value, maximum: value })?;
    }
    Ok(())
}

fn c_strings(strings: &[String]) -> io::Result<Vec<CString>> {
    strings.iter().map(|text| Ok(CString::new(text.as_str())?)).collect()
}

fn become_program(ready: Ready, setup: &SlotSetup<'_>, board: &Board) -> Failure {
    if matches!(ready.launch, Launch::Canary) {
        board.note_launch();
        canary::probe(&ready.args, ready.pids, setup);
    }
    let executed = setup.steps.take(Stage::Exec, || -> io::Result<()> {
        board.note_launch();
        let path: &CStr = &ready.path;
        Err(sys::exec(ready.executable.as_ref().map(AsFd::as_fd), path, &ready.args, &ready.env))
    });
    match executed {
        Err(failure) => failure,
        Ok(()) => sys::exit_now(1),
    }
}
