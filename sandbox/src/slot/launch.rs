//! PID 2 of a slot: waits for the one request, gives up every right, becomes the program.
//!
//! Everything that can be done ahead of the request is done before this starts to wait; what
//! follows is the hot path.

use std::{
    ffi::{CStr, CString},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::Mode,
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, chdir, getrlimit, setrlimit, setsid, umask},
    stdio,
    thread::CapabilitySet,
};

use super::{canary, disk, identity, init::SlotSetup};
use crate::{
    error::{Failure, Stage, Steps},
    image::{Profile, TMP_DIR, WORK_DIR},
    protocol::{Launch, Request, SlotLimits},
    run::monotonic_ns,
    seccomp::{LAUNCH_FD, filter_for},
    sys::{self, SharedPage},
    wire,
};

/// Where PID 2 leaves what init must know, since it can say nothing once it is the program.
#[derive(Clone, Copy)]
pub(super) struct Board(SharedPage);

impl Board {
    const LAUNCHED_AT: usize = 0;
    const FAILURE: usize = 1;

    pub(super) fn new() -> io::Result<Board> {
        SharedPage::new().map(Board)
    }

    /// 0 when the program never started.
    pub(super) fn launched_at_ns(self) -> u64 {
        self.0.get(Self::LAUNCHED_AT)
    }

    /// The step that failed, if one did.
    pub(super) fn failure(self) -> Option<Failure> {
        let noted = self.0.get(Self::FAILURE);
        let stage = *STAGES.get((noted >> 32).checked_sub(1)? as usize)?;
        Some(Failure { stage, errno: noted as u32 as i32 })
    }

    fn note(self, failure: Failure) {
        let stage = STAGES.iter().position(|stage| *stage == failure.stage).unwrap_or(0) as u64;
        self.0.set(Self::FAILURE, ((stage + 1) << 32) | u64::from(failure.errno as u32));
    }
}

/// The steps of this file, by the number they have on the board.
const STAGES: [Stage; 7] = [
    Stage::Receive,
    Stage::Quota,
    Stage::Identity,
    Stage::LayOutFiles,
    Stage::Rlimits,
    Stage::Filter,
    Stage::Exec,
];

/// Serves the one request of this slot.
pub(super) fn run(setup: &SlotSetup<'_>, socket: &OwnedFd, board: Board) -> ! {
    let failure = launch(setup, socket, board);
    board.note(failure);
    sys::exit_now(1)
}

/// Returns only what went wrong.
fn launch(setup: &SlotSetup<'_>, socket: &OwnedFd, board: Board) -> Failure {
    match prepare(setup, socket) {
        Ok(ready) => become_program(ready, setup, board),
        Err(failure) => failure,
    }
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
    let steps: Steps = setup.steps;
    let (request, mut fds) = steps.take(Stage::Receive, || receive(socket))?;
    let limits = request.limits;
    steps.take(Stage::Quota, || disk::set_quota(setup.profile, &limits))?;
    steps.take(Stage::Identity, || {
        setsid()?;
        umask(Mode::from_raw_mode(0o022));
        identity::become_user(setup.uid, CapabilitySet::empty())
    })?;
    let files = if request.has_files { fds.pop() } else { None };
    let executable = steps.take(Stage::Receive, || take_stdio(&request.launch, fds))?;
    steps.take(Stage::LayOutFiles, || {
        chdir(working_directory(setup.profile))?;
        files.map_or(Ok(()), disk::lay_out)
    })?;
    steps.take(Stage::Rlimits, || set_rlimits(&limits))?;
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
        Profile::Function => TMP_DIR,
        Profile::Build => WORK_DIR,
    }
}

/// Per-process limits. Most stand behind a limit over the whole tree.
fn set_rlimits(limits: &SlotLimits) -> io::Result<()> {
    const MIB: u64 = 1 << 20;
    // A little above the group's limit, which must be the one that is hit: only it is counted.
    let processes = u64::from(limits.pids) + 8;
    let table = [
        // One byte: too little for a file, and the one value at which the kernel does not start a
        // piped core handler, which would run on the host (fs/coredump.c).
        (Resource::Core, 1),
        (Resource::Nofile, limits.open_files),
        (Resource::Fsize, limits.file_bytes),
        (Resource::Stack, 8 * MIB),
        (Resource::Memlock, 64 << 10),
        (Resource::Msgqueue, 0),
        (Resource::Nproc, processes),
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
        (Resource::Sigpending, 1024),
        (Resource::Cpu, limits.cpu_seconds),
    ];
    for (resource, value) in table {
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

fn become_program(ready: Ready, setup: &SlotSetup<'_>, board: Board) -> Failure {
    let filter = filter_for(setup.profile);
    if let Err(failure) = setup.steps.take(Stage::Filter, || sys::install_filter(filter)) {
        return failure;
    }
    if matches!(ready.launch, Launch::Canary) {
        board.0.set(Board::LAUNCHED_AT, monotonic_ns());
        canary::probe(&ready.args, ready.pids);
    }
    let executed = setup.steps.take(Stage::Exec, || -> io::Result<()> {
        board.0.set(Board::LAUNCHED_AT, monotonic_ns());
        let path: &CStr = &ready.path;
        Err(sys::exec(ready.executable.as_ref().map(AsFd::as_fd), path, &ready.args, &ready.env))
    });
    match executed {
        Err(failure) => failure,
        Ok(()) => sys::exit_now(1),
    }
}
