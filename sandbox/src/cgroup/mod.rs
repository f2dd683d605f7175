//! Limits, accounting and killing over whole process trees, on cgroup v1, v2 and the hybrid layout.
//!
//! `layout` finds the hierarchies, `tree` makes and removes groups in them (spawner side), and
//! `control` sets limits and reads counters through descriptors alone (worker side). `knob` is the
//! table of what differs between the versions.

mod control;
mod home;
mod knob;
mod layout;
mod sweep;
mod tree;

pub(crate) use control::Control;
pub(crate) use knob::Knob;
pub(crate) use layout::{Controller, Layout};
pub(crate) use sweep::sweep;
pub(crate) use tree::{Group, Tree};
