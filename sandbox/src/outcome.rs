//! How a run ended: data for the caller, never an error. Trouble on our side is a `RunError`.

use std::{fs::File, time::Duration};

/// Everything known about a finished run. Partial output is kept however it ended.
#[derive(Debug)]
pub struct Outcome {
    /// The one recorded cause of the end.
    pub ended: Ended,
    /// Standard output, at most `Limits::stdout_bytes`.
    pub stdout: Vec<u8>,
    /// Standard error, at most `Limits::stderr_bytes`.
    pub stderr: Vec<u8>,
    /// When standard error was read: the length reached, and the time since the program's start.
    pub stderr_times: Vec<(usize, Duration)>,
    /// True when standard error held more than was kept.
    pub stderr_truncated: bool,
    /// The collected file, opened after every process of the run was dead. None unless asked for,
    /// found, regular, of one link, and small enough.
    pub collected: Option<File>,
    /// What the run took.
    pub usage: Usage,
}

/// The first cause that ended the run, recorded once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The main process returned this status by itself.
    Exited(i32),
    /// The main process died of this signal, which nobody here sent.
    Signalled(i32),
    /// The sandbox ended it.
    Killed(KillReason),
}

/// Why the sandbox, or a limit in the kernel, ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillReason {
    /// `wall_time` passed.
    Timeout,
    /// `cpu_time` was used up.
    CpuLimit,
    /// A process of the run was killed for memory.
    OutOfMemory,
    /// Standard output grew past its limit.
    OutputLimit,
    /// The run failed after a process or thread was refused.
    PidsLimit,
    /// The run failed on file size, disk size or the number of files.
    DiskLimit,
    /// A system call no honest program makes.
    SandboxViolation,
    /// The caller asked for it.
    Cancelled,
}

/// Measured, not estimated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// From request to the program's first instruction, slot acquisition included.
    pub setup_time: Duration,
    /// From the program's start to its end.
    pub wall_time: Duration,
    /// Over all processes of the run.
    pub cpu_time: Duration,
    /// Highest memory charged to the run.
    pub peak_memory_bytes: u64,
    /// Signal of the main process when one ended it, also when a limit did.
    pub signal: Option<i32>,
    /// Exit status of the main process when it had one.
    pub exit_status: Option<i32>,
}
