//! One slot: a one-shot set of namespaces and groups for a single run.
//!
//! `make` is the spawner's side; `init` is PID 1 of the slot; `launch` turns PID 2 into the program;
//! `disk` mounts, fills and searches the slot's own file system; `network` and `steer` make what a
//! networked slot has of the world.

mod canary;
mod disk;
mod identity;
mod init;
mod launch;
mod make;
mod network;
mod steer;

pub(crate) use canary::Probe;
pub(crate) use disk::pack_files;
pub(crate) use identity::{give_up_all_but, keep_only};
pub(crate) use make::{NewSlot, SlotMaker};
