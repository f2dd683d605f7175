//! The system calls that no safe crate offers: clone3, execveat, seccomp, a start in shared memory.
//!
//! The only file of this room that may say `unsafe`. Each function is safe to call under the
//! condition its comment states; nothing here decides anything.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

use rustix::{
    mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect},
    process::Pid,
    thread::UnshareFlags,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Which side of a fork this is.
pub(crate) enum Forked {
    /// The new process.
    Child,
    /// The old one, with a descriptor of the new one.
    Parent { pidfd: OwnedFd },
}

/// The kernel's `struct clone_args`, as of Linux 5.7.
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_PIDFD: u64 = 0x0000_1000;
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks the calling process into fresh namespaces and, where given, straight into a cgroup2
/// directory. Only for processes with a single thread: the spawner and what it starts.
pub(crate) fn fork_into(
    namespaces: UnshareFlags,
    cgroup: Option<BorrowedFd<'_>>,
) -> io::Result<Forked> {
    let mut pidfd: libc::c_int = -1;
    let mut args = CloneArgs {
        flags: u64::from(namespaces.bits()) | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(directory) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = directory.as_raw_fd() as u64;
    }
    // SAFETY: `args` is a valid clone_args of the stated size; without CLONE_VM the child gets a
    // copy of the address space, and with one thread no lock can be held by a thread that is gone.
    let result =
        unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) };
    match result {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        // SAFETY: the kernel stored a new descriptor there, owned by nobody else.
        _ => Ok(Forked::Parent { pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } }),
    }
}

/// Ends the process at once, without running anything that was registered before a fork.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` takes any status and does not return.
    unsafe { libc::_exit(status) }
}

/// Becomes the program behind `file`, or the one at `path` when `file` is None. Returns only on
/// failure.
pub(crate) fn exec(
    file: Option<BorrowedFd<'_>>,
    path: &CStr,
    args: &[CString],
    env: &[CString],
) -> io::Error {
    let args = null_terminated(args);
    let env = null_terminated(env);
    let (directory, flags) = match file {
        Some(fd) => (fd.as_raw_fd(), libc::AT_EMPTY_PATH),
        None => (libc::AT_FDCWD, 0),
    };
    // SAFETY: path and both vectors are NUL-terminated and live until the call returns.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            directory,
            path.as_ptr(),
            args.as_ptr(),
            env.as_ptr(),
            flags,
        );
    }
    io::Error::last_os_error()
}

fn null_terminated(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

/// Marks every descriptor from 3 up close-on-exec.
pub(crate) fn mark_all_close_on_exec() -> io::Result<()> {
    close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// Closes every descriptor from 3 up but these two. For a child that goes on with nothing else of
/// what its parent owned.
pub(crate) fn close_all_but(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> io::Result<()> {
    let (one, other) = (one.as_raw_fd() as u32, other.as_raw_fd() as u32);
    let (low, high) = (one.min(other), one.max(other));
    close_range(3, low - 1, 0)?;
    close_range(low + 1, high - 1, 0)?;
    close_range(high + 1, u32::MAX, 0)
}

fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: marking is harmless; closing happens only in a fresh child, which shares no memory
    // with its parent and uses none of the closed descriptors again.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Forks in the oldest way there is, the one the system-call filter lets pass. None in the child.
pub(crate) fn plain_fork() -> io::Result<Option<Pid>> {
    // SAFETY: like `fork_into`: one thread, and the child gets a copy of everything.
    match unsafe { libc::syscall(libc::SYS_fork) } {
        -1 => Err(io::Error::last_os_error()),
        raw => Ok(Pid::from_raw(raw as i32)),
    }
}

/// Installs a seccomp filter for this thread and all its descendants. No-new-privs must be set.
pub(crate) fn install_filter(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies `len` instructions from a slice of exactly that length.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Starts a process that runs `task` in this process's memory, on a stack of its own, until it
/// executes a program or exits. Nothing is copied at the start, and execve has nothing to take apart.
///
/// Both sides see one process with one thread: the allocator takes no locks, and thread-local
/// variables are shared. So they must take turns: `task` begins by waiting for a word of the caller,
/// and the caller, once that is given, makes nothing but plain system calls until the other is gone.
/// What `task` borrows must live as long.
pub(crate) fn start_in_this_memory<F: FnOnce()>(task: F) -> io::Result<Pid> {
    const STACK_BYTES: usize = 256 << 10;
    const GUARD_BYTES: usize = 4096;
    extern "C" fn enter<F: FnOnce()>(task: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it was made by `into_raw` below and is taken once, here.
        let task = unsafe { Box::from_raw(task.cast::<F>()) };
        task();
        1
    }
    let task = Box::into_raw(Box::new(task));
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: the stack is a fresh mapping that nobody else uses and that is never unmapped; its
    // lowest page is taken away to catch an overflow; it grows down from its aligned end. `enter`
    // gets the pointer it expects. That two processes use one memory is the caller's condition.
    let pid = unsafe {
        let stack = mmap_anonymous(ptr::null_mut(), STACK_BYTES, protection, flags)?;
        mprotect(stack, GUARD_BYTES, MprotectFlags::empty())?;
        let flags = libc::CLONE_VM | libc::SIGCHLD;
        libc::clone(enter::<F>, stack.byte_add(STACK_BYTES), flags, task.cast())
    };
    if pid == -1 {
        return Err(io::Error::last_os_error());
    }
    Pid::from_raw(pid).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Sends SIGKILL to every process of this pid namespace but its init, the caller.
pub(crate) fn kill_all() -> io::Result<()> {
    // SAFETY: no memory is involved; -1 reaches only processes the caller may signal.
    match unsafe { libc::kill(-1, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Moves the calling process into fresh namespaces.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    // SAFETY: the descriptor table is not among what is unshared.
    Ok(unsafe { rustix::thread::unshare_unsafe(namespaces - UnshareFlags::FILES) }?)
}

/// The network namespace that a socket belongs to.
pub(crate) fn namespace_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    /// From linux/sockios.h.
    const SIOCGSKNS: libc::Ioctl = 0x894c;
    // SAFETY: the request takes no argument, and gives a new descriptor, owned by nobody else.
    match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: as above.
        namespace => Ok(unsafe { OwnedFd::from_raw_fd(namespace) }),
    }
}

/// A BPF map whose one value, at key 0, is this listening socket.
pub(crate) fn bpf_map_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const MAP_CREATE: libc::c_int = 0;
    const MAP_UPDATE: libc::c_int = 2;
    const SOCKMAP: u32 = 15;
    // Type, bytes of a key, bytes of a value, most entries.
    let map = bpf(MAP_CREATE, &[SOCKMAP, 4, 8, 1])?;
    // SAFETY: BPF_MAP_CREATE gives a new descriptor, owned by nobody else.
    let map = unsafe { OwnedFd::from_raw_fd(map) };
    let (key, value) = (0_u32, socket.as_raw_fd() as u64);
    let update: [u64; 4] =
        [map.as_raw_fd() as u64, &raw const key as u64, &raw const value as u64, 0];
    bpf(MAP_UPDATE, &update)?;
    Ok(map)
}

/// Loads a BPF program of the kind that is asked for a new connection's socket. The kernel's verifier
/// proves it harmless or refuses it.
pub(crate) fn bpf_load_lookup(instructions: &[u64]) -> io::Result<OwnedFd> {
    const PROG_LOAD: libc::c_int = 5;
    const SK_LOOKUP_PROGRAM: u64 = 30;
    let count = instructions.len() as u64;
    let mut load = [0_u64; 9];
    load[0] = SK_LOOKUP_PROGRAM | count << 32;
    load[1] = instructions.as_ptr() as u64;
    load[2] = c"Apache-2.0".as_ptr() as u64;
    // After an index of an interface that is not used: for what it is to be linked.
    load[8] = u64::from(SK_LOOKUP_LINK) << 32;
    let program = bpf(PROG_LOAD, &load)?;
    // SAFETY: BPF_PROG_LOAD gives a new descriptor, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(program) })
}

/// Has the kernel ask `program` for connections of a network namespace, until the link is closed.
pub(crate) fn bpf_link(program: BorrowedFd<'_>, namespace: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const LINK_CREATE: libc::c_int = 28;
    let (program, namespace) = (program.as_raw_fd() as u32, namespace.as_raw_fd() as u32);
    let link = bpf(LINK_CREATE, &[program, namespace, SK_LOOKUP_LINK, 0])?;
    // SAFETY: BPF_LINK_CREATE gives a new descriptor, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(link) })
}

/// BPF_SK_LOOKUP, where a program can be linked.
const SK_LOOKUP_LINK: u32 = 36;

/// The `bpf` system call. Attributes that are not given are 0. Those that are addresses must be of
/// memory that the command may read, as the three callers above see to.
fn bpf<T>(command: libc::c_int, attributes: &[T]) -> io::Result<libc::c_int> {
    let bytes = size_of_val(attributes);
    // SAFETY: the kernel reads as many bytes of the attributes as it is told, and none of the three
    // commands writes to memory.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_ptr(), bytes) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
}

/// Registers a descriptor with the current tokio runtime.
pub(crate) fn watched(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd names the same open file until it is dropped, and it is moved in.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}

/// Lets any test binary be its own spawner: the usual harness leaves no room before its `main`.
#[cfg(feature = "spawner-in-tests")]
#[used]
// SAFETY: `.init_array` holds pointers to functions that are called before `main`, with one thread;
// glibc has set up the arguments by then, which is all this needs.
#[unsafe(link_section = ".init_array")]
static SERVE_BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn serve_before_main() {
        crate::become_spawner_if_asked();
    }
    serve_before_main
};
