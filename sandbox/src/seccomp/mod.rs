//! The system-call filter: `policy` says what is allowed, `emit` turns it into a compact program.

mod emit;
mod policy;

pub(crate) use policy::{LAUNCH_FD, filter_for};
