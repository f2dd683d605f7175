//! How this binary is executed again as a spawner or as a warden, and how it notices that it was.

use std::{
    ffi::CString,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::fcntl_dupfd_cloexec,
    net::{SocketType, sockopt::socket_type},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit},
    stdio,
};

use super::serve;
use crate::{
    sys,
    warden::{self, WARDEN_NAME},
};

/// Tells the allocator to do without huge pages. They round the few kilobytes that a spawner needs up to
/// megabytes, which each slot would take along into its processes page by page.
const SMALL_HEAP: (&str, &str) = ("MIMALLOC_ALLOW_THP", "0");

/// What `argv[0]` says when the binary is to serve as a spawner.
pub(crate) const SPAWNER_NAME: &str = "apprun-spawner";

/// First statement of `main`: serves and exits when this process was started as a spawner, or as the
/// warden that starts spawners, else returns at once. Must come before any thread is started.
pub fn become_spawner_if_asked() {
    let name = std::env::args_os().next().unwrap_or_default();
    let (name, serve): (_, fn(&OwnedFd) -> io::Result<()>) = match name.to_str() {
        Some(SPAWNER_NAME) => (SPAWNER_NAME, serve::serve),
        Some(WARDEN_NAME) => (WARDEN_NAME, warden::serve),
        _ => return,
    };
    match take_control_socket(name).and_then(|control| serve(&control)) {
        Ok(()) => sys::exit_now(0),
        Err(error) => {
            eprintln!("{name}: {error}");
            sys::exit_now(1)
        }
    }
}

/// Executes this binary again under another name, with nothing but a socket. The standard library
/// uses posix_spawn here, so the size of this process does not matter.
pub(crate) fn execute_own(name: &str, socket: OwnedFd) -> io::Result<Child> {
    execute(Path::new("/proc/self/exe"), name, socket)
}

/// The same with another binary.
pub(crate) fn execute(binary: &Path, name: &str, socket: OwnedFd) -> io::Result<Child> {
    Command::new(binary)
        .arg0(name)
        .env_clear()
        .envs([SMALL_HEAP])
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        // A group of its own: Ctrl-C in a terminal is the worker's to handle.
        .process_group(0)
        .spawn()
}

/// The socket arrives as standard input. Standard input and output become /dev/null, so that no
/// later descriptor can take their numbers; errors still go where the worker's go.
fn take_control_socket(name: &str) -> io::Result<OwnedFd> {
    if socket_type(stdio::stdin())? != SocketType::SEQPACKET {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not started by a worker"));
    }
    rustix::thread::set_name(&CString::new(name)?)?;
    let control = fcntl_dupfd_cloexec(stdio::stdin(), 3)?;
    let null = openat(CWD, "/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    stdio::dup2_stdin(&null)?;
    stdio::dup2_stdout(&null)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // As in every slot: neither a core file nor a piped handler.
    setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) })?;
    // Each slot takes a handful of descriptors while it is made.
    let open_files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: open_files.maximum, ..open_files })?;
    Ok(control)
}
