//! The spawner's side of a new slot: groups, namespaces, and init in them.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid},
    thread::UnshareFlags,
};

use super::init::{self, SlotSetup};
use crate::{
    cgroup::{Group, Knob, Tree},
    error::{Failure, Stage, Steps},
    image::{Overlay, Profile},
    network::Routes,
    program::DiskSize,
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
    pub(crate) routes: Routes,
    /// Empty network namespaces by index, for slots that do not make their own.
    pub(crate) networks: Vec<OwnedFd>,
    /// The spawner's own pidfd, by which an init sees that it was orphaned.
    pub(crate) spawner: OwnedFd,
}

/// A slot whose init is alive.
pub(crate) struct NewSlot {
    /// The worker's end of the slot's socket.
    pub(crate) socket: OwnedFd,
    /// Of init, in the spawner's pid namespace.
    pub(crate) pidfd: OwnedFd,
    pub(crate) knobs: Vec<(Knob, OwnedFd)>,
}

/// All but the network namespace: init enters or makes that one, beside the spawner's next work.
const NAMESPACES: UnshareFlags = UnshareFlags::NEWPID
    .union(UnshareFlags::NEWNS)
    .union(UnshareFlags::NEWIPC)
    .union(UnshareFlags::NEWUTS);

impl SlotMaker {
    /// Makes the slot `index`. On failure no process is left, but its groups may be.
    pub(crate) fn make(
        &self,
        index: u32,
        disk: DiskSize,
        steps: Steps,
    ) -> Result<NewSlot, Failure> {
        let group = steps.take(Stage::CreateGroup, || self.tree.create(index))?;
        let (ours, theirs) = steps.take(Stage::Fork, wire::pair)?;
        let forked = steps.take(Stage::Fork, || sys::fork_into(NAMESPACES, group.v2()))?;
        let pidfd = match forked {
            Forked::Parent { pidfd } => pidfd,
            Forked::Child => self.become_init(index, disk, steps, theirs, &group),
        };
        match steps.take(Stage::CreateGroup, || group.open_knobs()) {
            Ok(knobs) => Ok(NewSlot { socket: ours, pidfd, knobs }),
            Err(failure) => {
                end(&pidfd);
                Err(failure)
            }
        }
    }

    fn become_init(
        &self,
        index: u32,
        disk: DiskSize,
        steps: Steps,
        socket: OwnedFd,
        group: &Group,
    ) -> ! {
        let setup = SlotSetup {
            uid: self.first_uid + index,
            init_uid: self.first_uid + BLOCK_UIDS - 1,
            profile: self.profile,
            overlays: &self.overlays,
            routes: &self.routes,
            network: self.networks.get(index as usize).map(AsFd::as_fd),
            disk,
            steps,
        };
        init::run(&setup, group, &socket, &self.spawner)
    }
}

fn end(pidfd: &OwnedFd) {
    // It is our unreaped child, so neither call can fail for a reason that matters.
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
    let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
}
