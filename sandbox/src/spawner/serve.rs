//! The spawner's life: seal, then make and remove slots until the worker is gone, then tidy up.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::prepare::{Prepared, prepare};
use crate::{
    cgroup::Tree,
    error::Failure,
    protocol::{Command, Reply, Sealed, Setup},
    slot::{NewSlot, SlotMaker},
    wire,
};

/// The inits of slots that are made and not yet removed, by index.
type Inits = BTreeMap<u32, OwnedFd>;

/// Serves one worker until it hangs up.
pub(super) fn serve(control: &OwnedFd) -> io::Result<()> {
    let Some(packet) = wire::receive::<Setup>(control)? else { return Ok(()) };
    let Prepared { maker, claim, missing } = match prepare(&packet.message) {
        Ok(prepared) => prepared,
        Err(missing) => return wire::send(control, &Sealed::Refused(missing), &[]),
    };
    wire::send(control, &Sealed::Ready { first_uid: claim.first_uid, missing }, &[])?;
    let mut inits = Inits::new();
    let end = obey(control, &maker, &mut inits);
    clear(maker, inits)?;
    end
}

/// Carries out commands until the worker hangs up.
fn obey(control: &OwnedFd, maker: &SlotMaker, inits: &mut Inits) -> io::Result<()> {
    while let Some(packet) = wire::receive_small::<Command>(control)? {
        match packet.message {
            Command::Make { index, disk, steps } => {
                let made = maker.make(index, disk, steps);
                answer(control, maker, inits, index, made)?;
            }
            Command::Remove(index) => {
                remove(maker, inits, index)?;
                wire::send(control, &Reply::Removed { index }, &[])?;
            }
        }
    }
    Ok(())
}

fn answer(
    control: &OwnedFd,
    maker: &SlotMaker,
    inits: &mut Inits,
    index: u32,
    made: Result<NewSlot, Failure>,
) -> io::Result<()> {
    match made {
        Ok(NewSlot { socket, pidfd, knobs }) => {
            let (knobs, files): (Vec<_>, Vec<_>) = knobs.into_iter().unzip();
            let mut fds: Vec<BorrowedFd<'_>> = vec![socket.as_fd(), pidfd.as_fd()];
            fds.extend(files.iter().map(AsFd::as_fd));
            let sent = wire::send(control, &Reply::Made { index, knobs }, &fds);
            inits.insert(index, pidfd);
            sent
        }
        Err(failure) => {
            abandon(maker, index);
            wire::send(control, &Reply::NotMade { index, failure }, &[])
        }
    }
}

/// A slot that could not be made must not occupy its index; its groups are empty by now.
fn abandon(maker: &SlotMaker, index: u32) {
    let _ = remove_groups(&maker.tree, index);
}

/// Reaps a dead init and removes its groups. Kills first, in case the worker was mistaken.
fn remove(maker: &SlotMaker, inits: &mut Inits, index: u32) -> io::Result<()> {
    if let Some(init) = inits.remove(&index) {
        reap(&init)?;
    }
    remove_groups(&maker.tree, index)
}

fn reap(init: &OwnedFd) -> io::Result<()> {
    // Gone already is what we want.
    let _ = pidfd_send_signal(init, Signal::KILL);
    // When this returns, every process of the namespace is dead: the kernel lets a namespace's
    // init go last.
    waitid(WaitId::PidFd(init.as_fd()), WaitIdOptions::EXITED)?;
    Ok(())
}

/// A group is busy for a moment after its last process was reaped.
fn remove_groups(tree: &Tree, index: u32) -> io::Result<()> {
    const ATTEMPTS: u32 = 500;
    for _ in 0..ATTEMPTS {
        match tree.remove(index) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
    tree.remove(index)
}

/// Ends every slot and takes away every group.
fn clear(maker: SlotMaker, mut inits: Inits) -> io::Result<()> {
    let indices: Vec<u32> = inits.keys().copied().collect();
    for index in indices {
        remove(&maker, &mut inits, index)?;
    }
    maker.tree.uproot()
}
