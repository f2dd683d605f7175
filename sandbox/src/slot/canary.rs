//! The canary: our own code in the program's place, trying what must not work.
//!
//! It runs in a real slot, as PID 2, after every step but execve. Each line it writes to standard
//! output names a layer that does not hold, and why.

use std::{
    ffi::CString,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    net::{AddressFamily, SocketType, connect, socket},
    process::{Pid, Signal, WaitOptions, kill_process, setsid, waitpid},
    thread::{UnshareFlags, no_new_privs, set_thread_uid},
};

use super::init::SlotSetup;
use crate::{error::Layer, image::Profile, network::Routes, sys};

/// What a canary tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// To see, to reach, to multiply, and to leave a process behind.
    BreakOut,
    /// To use more memory than its limit.
    Eat,
}

impl Probe {
    /// How the probe is named in the request's arguments.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Probe::BreakOut => "break-out",
            Probe::Eat => "eat",
        }
    }
}

/// Bytes the eater touches: far more than any limit a canary is given.
const EATEN_BYTES: usize = 256 << 20;

/// Runs a probe and exits.
pub(super) fn probe(args: &[CString], pids: u32, setup: &SlotSetup<'_>) -> ! {
    if args.first().is_some_and(|name| name.as_bytes() == Probe::Eat.name().as_bytes()) {
        // Every page is written, so every page is charged.
        let eaten = std::hint::black_box(vec![1_u8; EATEN_BYTES]);
        sys::exit_now(i32::from(eaten[eaten.len() / 2] == 0))
    }
    see_files();
    match setup.profile {
        Profile::Networked => reach_what_is_closed(setup.routes),
        Profile::Function | Profile::Build => reach_network(),
    }
    regain_rights();
    pass_filter();
    multiply(pids);
    leave_a_process_behind();
    sys::exit_now(0)
}

fn report(layer: Layer, why: &str) {
    // A canary that cannot even write has no standard output, which its caller notices.
    let _ = writeln!(std::io::stdout(), "{layer}: {why}");
}

fn see_files() {
    for path in ["/etc/passwd", "/etc/shadow", "/root", "/sys/fs/cgroup", "/proc/1/environ"] {
        if openat(CWD, path, OFlags::RDONLY, Mode::empty()).is_ok() {
            report(Layer::Files, &format!("{path} can be opened"));
        }
    }
    if openat(CWD, "/canary", OFlags::WRONLY | OFlags::CREATE, Mode::RWXU).is_ok() {
        report(Layer::Files, "the root can be written");
    }
}

fn reach_network() {
    for family in [AddressFamily::INET, AddressFamily::INET6, AddressFamily::UNIX] {
        if socket(family, SocketType::STREAM, None).is_ok() {
            report(Layer::Network, "a socket can be opened");
        }
    }
}

/// There are sockets of TCP and UDP only, and nothing is there that should not be.
fn reach_what_is_closed(routes: &Routes) {
    for (family, kind) in [
        (AddressFamily::UNIX, SocketType::STREAM),
        (AddressFamily::NETLINK, SocketType::RAW),
        (AddressFamily::PACKET, SocketType::RAW),
        (AddressFamily::INET, SocketType::RAW),
    ] {
        if socket(family, kind, None).is_ok() {
            report(Layer::Network, "a socket that is neither TCP nor UDP can be opened");
        }
    }
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    for address in routes.closed_addresses().chain(loopback) {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket(family, SocketType::STREAM, None);
        if socket.is_ok_and(|socket| connect(&socket, &SocketAddr::new(address, 9)).is_ok()) {
            report(Layer::Network, &format!("{address} can be reached"));
        }
    }
}

fn regain_rights() {
    if set_thread_uid(rustix::fs::Uid::ROOT).is_ok() {
        report(Layer::Privileges, "the user can be changed back to root");
    }
    if !matches!(no_new_privs(), Ok(true)) {
        report(Layer::Privileges, "new privileges can be gained by execve");
    }
}

fn pass_filter() {
    let child = match sys::plain_fork() {
        Ok(Some(pid)) => pid,
        Ok(None) => {
            let _ = sys::unshare(UnshareFlags::NEWUSER);
            sys::exit_now(1)
        }
        Err(_) => return report(Layer::Seccomp, "the canary could not fork"),
    };
    let killed = matches!(
        waitpid(Some(child), WaitOptions::empty()),
        Ok(Some((_, status))) if status.terminating_signal() == Some(Signal::SYS.as_raw())
    );
    if !killed {
        report(Layer::Seccomp, "a forbidden system call was not answered with death");
    }
}

/// Forks sleepers until refused; none may be granted beyond the limit.
fn multiply(pids: u32) {
    let mut sleepers: Vec<Pid> = Vec::new();
    for _ in 0..=pids {
        match sys::plain_fork() {
            Ok(Some(pid)) => sleepers.push(pid),
            Ok(None) => sleep_long(),
            Err(_) => break,
        }
    }
    if sleepers.len() >= pids as usize {
        report(Layer::Pids, "more processes than the limit could be started");
    }
    for pid in sleepers {
        let _ = kill_process(pid, Signal::KILL);
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
}

/// The worker sees whether its slot can be removed although this one hangs on.
fn leave_a_process_behind() {
    if let Ok(None) = sys::plain_fork() {
        let _ = setsid();
        sleep_long();
    }
}

fn sleep_long() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
