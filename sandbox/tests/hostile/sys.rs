//! System calls by number and a way to try one without dying of it.

use std::{io, process::exit};

pub use std::ffi::{c_int, c_void};

unsafe extern "C" {
    pub fn syscall(number: i64, ...) -> i64;
    pub fn fork() -> c_int;
    pub fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    pub fn kill(pid: c_int, signal: c_int) -> c_int;
    pub fn getpid() -> c_int;
    pub fn setsid() -> c_int;
    pub fn signal(signal: c_int, handler: usize) -> usize;
    pub fn pause() -> c_int;
    pub fn abort() -> !;
    pub fn mmap(
        at: *mut c_void,
        length: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        off: i64,
    ) -> *mut c_void;
}

pub const IGNORE: usize = 1;
pub const SIGKILL: c_int = 9;

pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Calls the kernel with up to six plain numbers.
pub fn call(number: i64, args: &[usize]) -> i64 {
    let arg = |index: usize| args.get(index).copied().unwrap_or(0);
    unsafe { syscall(number, arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)) }
}

/// A NUL-terminated string as a number.
pub fn text(bytes: &'static [u8]) -> usize {
    assert!(bytes.ends_with(b"\0"));
    bytes.as_ptr() as usize
}

/// Forks; runs `child` there and never returns from it. None when the fork was refused.
pub fn spawn(child: impl FnOnce()) -> Option<c_int> {
    match unsafe { fork() } {
        -1 => None,
        0 => {
            child();
            exit(0)
        }
        pid => Some(pid),
    }
}

pub fn wait(pid: c_int) -> c_int {
    let mut status = 0;
    unsafe { waitpid(pid, &mut status, 0) };
    status
}

pub fn sleep_forever() -> ! {
    loop {
        unsafe { pause() };
    }
}

/// Tries something in a child and prints `name=ok`, `name=<errno>` or `name=signal <n>`. Trying is
/// an error when it gives -1.
pub fn attempt(name: &str, what: impl FnOnce() -> i64) {
    let child = spawn(|| {
        let result = what();
        exit(if result == -1 { errno() } else { 0 })
    });
    let status = wait(child.expect("fork"));
    match (status & 0x7f, status >> 8 & 0xff) {
        (0, 0) => println!("{name}=ok"),
        (0, 1) => println!("{name}=EPERM"),
        (0, 2) => println!("{name}=ENOENT"),
        (0, 38) => println!("{name}=ENOSYS"),
        (0, errno) => println!("{name}={errno}"),
        (signal, _) => println!("{name}=signal {signal}"),
    }
}

/// `attempt` with a call of plain numbers.
pub fn attempt_call(name: &str, number: i64, args: &[usize]) {
    attempt(name, || call(number, args));
}
