//! PID 1 of a slot: prepares it, starts PID 2, tells how that ended, and takes the rest along.
//!
//! The program must not be PID 1 itself: signals work differently there. Init runs only our code,
//! under a user id of its own, without capabilities (a build's keeps the one to kill).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, Signal, WaitOptions, set_parent_process_death_signal, wait},
    system::{setdomainname, sethostname},
    thread::{CapabilitySet, LinkNameSpaceType, UnshareFlags, move_into_link_name_space, set_name},
    time::Timespec,
};

use super::{
    disk::{self, Disk},
    identity,
    launch::{self, Board},
    network,
};
use crate::{
    cgroup::Group,
    error::{Failure, Stage, Steps},
    image::{Overlay, Profile},
    network::Routes,
    program::DiskSize,
    protocol::{CollectRequest, MainEnd, Status},
    run::monotonic_ns,
    sys, wire,
};

/// What a slot is made from.
pub(crate) struct SlotSetup<'a> {
    pub(crate) uid: u32,
    pub(crate) init_uid: u32,
    pub(crate) profile: Profile,
    pub(crate) overlays: &'a [Overlay],
    pub(crate) routes: &'a Routes,
    /// An empty network namespace that is kept for slots of this index.
    pub(crate) network: Option<BorrowedFd<'a>>,
    pub(crate) disk: DiskSize,
    pub(crate) steps: Steps,
}

/// Runs the slot to its end.
pub(crate) fn run(setup: &SlotSetup<'_>, group: &Group, socket: &OwnedFd, spawner: &OwnedFd) -> ! {
    let result = settle_in(setup, group, socket, spawner)
        .and_then(|()| prepare(setup, socket, spawner))
        .and_then(|(main, disk)| Ok((wait_for(&main)?, disk)));
    match result {
        Ok((ended, disk)) => finish(setup.profile, socket, &disk, ended),
        Err(failure) => tell(socket, &Status::NotLaunched(failure), None),
    }
    // The kernel kills whatever else lives in this pid namespace.
    sys::exit_now(0)
}

/// Becomes a process of the slot, holding nothing else of what the spawner owns. The network
/// namespace comes first: its memory is not the run's.
fn settle_in(
    setup: &SlotSetup<'_>,
    group: &Group,
    socket: &OwnedFd,
    spawner: &OwnedFd,
) -> Result<(), Failure> {
    let steps = setup.steps;
    steps.take(Stage::Network, || match setup.network {
        Some(kept) => Ok(move_into_link_name_space(kept, Some(LinkNameSpaceType::Network))?),
        None => sys::unshare(UnshareFlags::NEWNET),
    })?;
    if setup.profile == Profile::Networked {
        steps.take(Stage::Network, || open_network(setup.routes, socket))?;
    }
    steps.take(Stage::EnterGroup, || {
        group.enter_v1()?;
        sys::close_all_but(socket.as_fd(), spawner.as_fd())
    })
}

/// Hands the worker the inner end of the slot's network, before the program can exist.
fn open_network(routes: &Routes, socket: &OwnedFd) -> std::io::Result<()> {
    let doors = network::open(routes)?;
    wire::send(socket, &Status::Connected, &doors.each_ref().map(AsFd::as_fd))
}

struct Main {
    pid: Pid,
    board: &'static Board,
}

/// How PID 2 ended and when, by CLOCK_MONOTONIC.
struct Ending {
    how: MainEnd,
    launched_at_ns: u64,
    ended_at_ns: u64,
}

fn prepare(
    setup: &SlotSetup<'_>,
    socket: &OwnedFd,
    spawner: &OwnedFd,
) -> Result<(Main, Disk), Failure> {
    let steps = setup.steps;
    steps.take(Stage::Hostname, || {
        set_name(c"apprun-init")?;
        sethostname(b"slot")?;
        Ok(setdomainname(b"")?)
    })?;
    let disk = steps.take(Stage::Mount, || {
        disk::mount_disk(setup.profile, setup.uid, setup.disk, setup.overlays)
    })?;
    let board = Board::new();
    // It waits for its turn, and leaves this memory before `wait_for` hears of it.
    let pid = steps.take(Stage::ForkMain, || {
        sys::start_in_this_memory(|| launch::run(setup, socket, board))
    })?;
    steps.take(Stage::DropInit, || {
        let kept = match setup.profile {
            Profile::Function | Profile::Networked => CapabilitySet::empty(),
            // A build's processes are killed one by one before its result is collected.
            Profile::Build => CapabilitySet::KILL,
        };
        identity::become_user(setup.init_uid, kept)?;
        // After the change of user, which clears it.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if is_gone(spawner)? { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    })?;
    Ok((Main { pid, board }, disk))
}

/// Closes the gap before the death signal was armed.
fn is_gone(spawner: &OwnedFd) -> std::io::Result<bool> {
    let mut fds = [PollFd::new(spawner, PollFlags::IN)];
    Ok(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0)
}

/// Lets the main process go on, and reaps orphans until it ends.
fn wait_for(main: &Main) -> Result<Ending, Failure> {
    main.board.let_main_go();
    let how = loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main.pid => {
                break match status.terminating_signal() {
                    Some(signal) => MainEnd::Signalled(signal),
                    None => MainEnd::Exited(status.exit_status().unwrap_or(0)),
                };
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                return Err(Failure { stage: Stage::ForkMain, errno: error.raw_os_error() });
            }
        }
    };
    let ended_at_ns = monotonic_ns();
    match main.board.failure() {
        Some(failure) => Err(failure),
        None => Ok(Ending { how, launched_at_ns: main.board.launched_at_ns(), ended_at_ns }),
    }
}

fn finish(profile: Profile, socket: &OwnedFd, disk: &Disk, ending: Ending) {
    let disk_full = disk.is_full();
    if profile == Profile::Build {
        kill_everyone_else();
    }
    let Ending { how, launched_at_ns, ended_at_ns } = ending;
    tell(socket, &Status::Ended { how, launched_at_ns, ended_at_ns, disk_full }, None);
    if profile == Profile::Build {
        // PID 2 is gone, so this packet is for init: what to collect, or end of file.
        if let Ok(Some(packet)) = wire::receive::<CollectRequest>(socket) {
            tell(socket, &Status::Collected, disk::collect(&packet.message));
        }
    }
}

/// Returns when init is alone in its pid namespace: nothing can touch the result any more.
fn kill_everyone_else() {
    loop {
        // -1: everyone this process may signal, which a pid namespace limits to its own.
        let _ = sys::kill_all();
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// A worker that has hung up does not want to know.
fn tell(socket: &OwnedFd, status: &Status, file: Option<OwnedFd>) {
    let fds: Vec<_> = file.iter().map(AsFd::as_fd).collect();
    let _ = wire::send(socket, status, &fds);
}
