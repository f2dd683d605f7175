//! What to run and how far it may go: the values a caller hands to the sandbox.
//!
//! Everything is bounded, and nothing here names a path of the host except through an open
//! descriptor or an image that was sealed at start.

use std::{os::fd::OwnedFd, path::PathBuf, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

/// One program to be run once.
#[derive(Debug, Clone)]
pub struct Program {
    /// The binary to execute.
    pub executable: Executable,
    /// Arguments after `argv[0]`.
    pub args: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Everything the program can read from standard input; end of file follows.
    pub stdin: Vec<u8>,
    /// Files laid out below `/work` before the program starts; builds only.
    pub files: Vec<InputFile>,
    /// The one file taken out after the last process has died; builds only.
    pub collect: Option<Collect>,
    /// How far the program may go.
    pub limits: Limits,
}

/// Where the binary comes from.
#[derive(Debug, Clone)]
pub enum Executable {
    /// An open, read-only descriptor whose content the caller has verified and nobody can write.
    File(Arc<OwnedFd>),
    /// An absolute path inside the sealed image, a toolchain's compiler for example.
    InImage(PathBuf),
}

/// A file the program finds below its working directory.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// Relative, without `..`; folders on the way are made.
    pub path: String,
    /// The whole content.
    pub content: Vec<u8>,
}

/// A regular file, below `/work`, that the program is expected to leave behind.
#[derive(Debug, Clone)]
pub struct Collect {
    /// Relative to `/work`.
    pub path: String,
    /// A larger file is refused.
    pub max_bytes: u64,
}

/// Hard limits of one run. Each is enforced by the kernel or by the watcher, and each names itself
/// in the outcome when it ends the run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From the program's start; waiting for a slot does not count.
    pub wall_time: Duration,
    /// Over all processes of the run together.
    pub cpu_time: Duration,
    /// Cores the run may use at once, in thousandths.
    pub cpu_millicores: u32,
    /// All processes together, `/tmp` and `/work` included; no swap.
    pub memory_bytes: u64,
    /// Processes and threads together.
    pub pids: u32,
    /// More than this on standard output ends the run.
    pub stdout_bytes: usize,
    /// More than this on standard error is dropped and flagged.
    pub stderr_bytes: usize,
    /// Open descriptors of one process.
    pub open_files: u64,
    /// Largest file a process may write.
    pub file_bytes: u64,
    /// Size of the private `/tmp` (functions) or `/work` (builds).
    pub disk_bytes: u64,
    /// Files and folders in it.
    pub disk_inodes: u64,
}

impl Limits {
    pub(crate) fn disk(&self) -> DiskSize {
        DiskSize { bytes: self.disk_bytes, inodes: self.disk_inodes }
    }
}

/// The size of a slot's disk, which is fixed when the slot is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSize {
    /// As `Limits::disk_bytes`.
    pub bytes: u64,
    /// As `Limits::disk_inodes`.
    pub inodes: u64,
}
