//! The spawner's side of a new slot: groups, namespaces, and init in them.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    pipe::{PipeFlags, pipe_with},
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid},
    thread::UnshareFlags,
};

use super::init::{self, SlotSetup};
use crate::{
    cgroup::{Knob, Tree},
    error::{Failure, Stage, Steps},
    image::{Overlay, Profile},
    spawner::BLOCK_UIDS,
    sys::{self, Forked},
    wire,
};

/// Everything that is the same for all slots of a spawner.
pub(crate) struct SlotMaker {
    pub(crate) tree: Tree,
    pub(crate) first_uid: u32,
    pub(crate) profile: Profile,
    pub(crate) overlays: Vec<Overlay>,
}

/// A slot whose init is alive and inside its groups.
pub(crate) struct NewSlot {
    /// The worker's end of the slot's socket.
    pub(crate) socket: OwnedFd,
    /// Of init, in the spawner's pid namespace.
    pub(crate) pidfd: OwnedFd,
    /// The spawner's end of the pipe that init watches while it sets up.
    pub(crate) lifeline: OwnedFd,
    pub(crate) knobs: Vec<(Knob, OwnedFd)>,
}

const NAMESPACES: UnshareFlags = UnshareFlags::NEWPID
    .union(UnshareFlags::NEWNS)
    .union(UnshareFlags::NEWIPC)
    .union(UnshareFlags::NEWUTS)
    .union(UnshareFlags::NEWNET);

impl SlotMaker {
    /// Makes the slot `index`. On failure no process is left, but its groups may be.
    pub(crate) fn make(&self, index: u32, steps: Steps) -> Result<NewSlot, Failure> {
        let group = steps.take(Stage::CreateGroup, || self.tree.create(index))?;
        let (ours, theirs) = steps.take(Stage::Fork, wire::pair)?;
        let (go, lifeline) = steps.take(Stage::Fork, || Ok(pipe_with(PipeFlags::CLOEXEC)?))?;
        let forked = steps.take(Stage::Fork, || sys::fork_into(NAMESPACES, group.v2()))?;
        let (pid, pidfd) = match forked {
            Forked::Parent { pid, pidfd } => (pid, pidfd),
            Forked::Child => self.become_init(index, steps, theirs, go, [ours, lifeline]),
        };
        let entered = steps.take(Stage::EnterGroup, || {
            group.enter_v1(pid)?;
            rustix::io::write(&lifeline, b"!")?;
            group.open_knobs()
        });
        match entered {
            Ok(knobs) => Ok(NewSlot { socket: ours, pidfd, lifeline, knobs }),
            Err(failure) => {
                end(&pidfd);
                Err(failure)
            }
        }
    }

    fn become_init(
        &self,
        index: u32,
        steps: Steps,
        socket: OwnedFd,
        go: OwnedFd,
        spawners: [OwnedFd; 2],
    ) -> ! {
        // The spawner's ends must not stay open here, or their closing would tell nobody anything.
        drop(spawners);
        let setup = SlotSetup {
            uid: self.first_uid + index,
            init_uid: self.first_uid + BLOCK_UIDS - 1,
            profile: self.profile,
            overlays: &self.overlays,
            steps,
        };
        init::run(&setup, socket, go)
    }
}

fn end(pidfd: &OwnedFd) {
    // It is our unreaped child, so neither call can fail for a reason that matters.
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}
