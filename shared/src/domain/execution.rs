//! States of executions and the closed list of reasons why one did not complete.

use super::text_enum::text_enum;

text_enum!(
    /// pending → running → completed | failed | cancelled.
    ExecutionStatus {
        Pending = "pending",
        Running = "running",
        Completed = "completed",
        Failed = "failed",
        Cancelled = "cancelled",
    }
);

impl ExecutionStatus {
    /// True when nothing will change any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

text_enum!(
    /// Whether somebody waits for the answer.
    ExecutionMode { Sync = "sync", Async = "async" }
);

text_enum!(
    /// What becomes of a sync call whose caller leaves before the answer.
    OnDisconnect {
        /// It goes on and can be looked up.
        Continue = "continue",
        /// It is cancelled.
        Cancel = "cancel",
    }
);

text_enum!(
    /// Where a log line came from.
    LogStream { Stdout = "stdout", Stderr = "stderr" }
);

text_enum!(
    /// How an execution ended, other than well.
    Reason {
        /// The handler returned an error or panicked.
        FunctionError = "function_error",
        /// The program left with another status than 0.
        NonzeroExit = "nonzero_exit",
        /// A signal that the platform did not send.
        Signal = "signal",
        /// The wall-clock limit.
        Timeout = "timeout",
        /// The limit on processor time over all processes.
        CpuLimit = "cpu_limit",
        /// Killed for memory.
        Oom = "oom",
        /// More output than allowed.
        OutputLimit = "output_limit",
        /// More processes or threads than allowed.
        PidsLimit = "pids_limit",
        /// More or larger files than allowed.
        DiskLimit = "disk_limit",
        /// A system call no honest program makes.
        SandboxViolation = "sandbox_violation",
        /// The output is not one JSON document.
        InvalidOutput = "invalid_output",
        /// Somebody asked for it.
        Cancelled = "cancelled",
        /// It waited longer than it was worth.
        Expired = "expired",
        /// Its workers died, more often than we try again.
        WorkerLost = "worker_lost",
        /// Trouble on our side, more often than we try again.
        PlatformError = "platform_error",
    }
);

impl Reason {
    /// True when the same call would most likely end the same way: it is not tried again.
    pub const fn is_permanent(self) -> bool {
        match self {
            Self::FunctionError
            | Self::NonzeroExit
            | Self::Signal
            | Self::Timeout
            | Self::CpuLimit
            | Self::Oom => false,
            // The program does what it may not, or its caller no longer wants it; the last two are
            // ours, and were tried often enough.
            Self::OutputLimit
            | Self::PidsLimit
            | Self::DiskLimit
            | Self::SandboxViolation
            | Self::InvalidOutput
            | Self::Cancelled
            | Self::Expired
            | Self::WorkerLost
            | Self::PlatformError => true,
        }
    }
}
