//! The messages that cross a process boundary. `wire` carries them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    cgroup::Knob,
    error::{Failure, MissingLayer, Steps},
    image::Image,
    program::DiskSize,
};

/// First packet from worker to spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) image: Image,
    /// The worker's process id: between it and the spawner there may be a warden.
    pub(crate) worker: u32,
    /// How many slots may exist at a time.
    pub(crate) slots: u32,
}

/// The spawner's answer to `Setup`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Sealed {
    /// Slot `n` will run as user and group `first_uid + n`.
    Ready { first_uid: u32, missing: Vec<MissingLayer> },
    /// No slot can be made; the spawner has exited.
    Refused(Vec<MissingLayer>),
}

/// Every later packet from worker to spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Make the slot of this index with a disk of this size.
    Make { index: u32, disk: DiskSize, steps: Steps },
    /// The slot's init is dead: take away what is left of it.
    Remove(u32),
}

/// Every later packet from spawner to worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// Descriptors: the slot's socket, its init's pidfd, then one per knob.
    Made { index: u32, knobs: Vec<Knob> },
    /// Nothing of the slot is left.
    NotMade { index: u32, failure: Failure },
    /// Nothing of the slot is left; the index may be used again.
    Removed { index: u32 },
}

/// From worker to slot. Descriptors: stdin, stdout, stderr, then the executable and the packed
/// files where `launch` and `has_files` say so.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) launch: Launch,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) has_files: bool,
    pub(crate) limits: SlotLimits,
}

/// What becomes of the main process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Launch {
    /// The passed descriptor is executed.
    File,
    /// A path inside the image is executed.
    InImage(PathBuf),
    /// No execve: the built-in probes run with everything else in place.
    Canary,
}

/// From worker to a build's init, once the main process has ended: `program::Collect`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CollectRequest {
    pub(crate) path: String,
    pub(crate) max_bytes: u64,
}

/// The limits that a program's process sets for itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SlotLimits {
    pub(crate) cpu_seconds: u64,
    pub(crate) pids: u32,
    pub(crate) open_files: u64,
    pub(crate) file_bytes: u64,
}

/// From slot to worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Status {
    /// The first word of a networked slot. Descriptors: its `Doors`, in their order.
    Connected,
    /// Everything that can be done ahead of the request is.
    Primed,
    /// The program never ran.
    NotLaunched(Failure),
    /// The main process has ended; in a build, every other process is dead too.
    Ended {
        how: MainEnd,
        /// CLOCK_MONOTONIC, nanoseconds, just before execve.
        launched_at_ns: u64,
        /// The same clock, just after the wait returned.
        ended_at_ns: u64,
        /// The slot's disk had no block or no inode left.
        disk_full: bool,
    },
    /// The answer to a `CollectRequest`. Descriptor: the file, when it is one that was asked for.
    Collected,
}

/// How the main process ended, as `wait` reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MainEnd {
    Exited(i32),
    Signalled(i32),
}
