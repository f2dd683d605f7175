//! One build: its limits, how it ended, and the check of what came out.

use std::{
    io::{self, Read},
    time::Duration,
};

use sandbox::{
    Collect, Ended, Executable, KillReason, Limits, Outcome, Program, RunError, Sandbox,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use shared::domain::{Diagnostic, Severity};
use tokio_util::sync::CancellationToken;

use crate::{
    dependencies::Fetched,
    elf,
    log::BuildLog,
    plan::BuildPlan,
    toolchain::{Language, go, rust},
};

/// How far one build may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildLimits {
    /// From the compiler's start.
    pub wall_time: Duration,
    /// Over all processes together.
    pub cpu_time: Duration,
    /// Cores at once, in thousandths.
    pub cpu_millicores: u32,
    /// Everything together, files of the build included; no swap.
    pub memory_bytes: u64,
    /// Processes and threads together.
    pub pids: u32,
    /// Kept of what the compiler prints; the rest is dropped.
    pub log_bytes: usize,
    /// A larger binary is refused.
    pub artifact_bytes: u64,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self {
            wall_time: Duration::from_secs(120),
            cpu_time: Duration::from_secs(240),
            cpu_millicores: 2000,
            memory_bytes: 2 << 30,
            pids: 128,
            log_bytes: 256 << 10,
            artifact_bytes: 64 << 20,
        }
    }
}

impl BuildLimits {
    pub(crate) fn for_sandbox(self) -> Limits {
        Limits {
            wall_time: self.wall_time,
            cpu_time: self.cpu_time,
            cpu_millicores: self.cpu_millicores,
            memory_bytes: self.memory_bytes,
            pids: self.pids,
            stdout_bytes: self.log_bytes,
            stderr_bytes: self.log_bytes,
            open_files: 1024,
            file_bytes: 256 << 20,
            disk_bytes: 1536 << 20,
            disk_inodes: 100_000,
        }
    }
}

/// How a build ended. Trouble with the source is a result, not an error.
#[derive(Debug)]
pub enum BuildOutcome {
    /// There is a binary.
    Built(Built),
    /// There is none, and the author can do something about it.
    Failed(BuildFailure),
}

/// A verified binary and what was said on the way to it.
#[derive(Debug)]
pub struct Built {
    /// A static ELF executable for 64-bit x86 Linux.
    pub artifact: Artifact,
    /// Warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// What the compiler printed.
    pub log: BuildLog,
}

/// The compiled binary.
pub struct Artifact {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Of `bytes`.
    pub sha256: [u8; 32],
}

impl std::fmt::Debug for Artifact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Artifact({} bytes)", self.bytes.len())
    }
}

/// Why there is no binary.
#[derive(Debug)]
pub struct BuildFailure {
    /// One word for programs.
    pub reason: FailureReason,
    /// One sentence for the author, with the first error in it.
    pub message: String,
    /// Errors and warnings, pointing into the author's files.
    pub diagnostics: Vec<Diagnostic>,
    /// What the compiler printed.
    pub log: BuildLog,
}

/// The closed list of ways in which a build fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The compiler, or we before it, refused the source.
    CompileError,
    /// Other people's code that the source needs cannot be had, or is not what was pinned.
    Dependencies,
    /// No installed toolchain is new enough.
    NoToolchain,
    /// The wall-clock limit.
    Timeout,
    /// The limit on processor time.
    CpuLimit,
    /// Killed for memory.
    Oom,
    /// More on standard output than a compiler ever writes.
    OutputLimit,
    /// Too many processes or threads.
    PidsLimit,
    /// Too large or too many files.
    DiskLimit,
    /// A system call no compiler makes.
    SandboxViolation,
    /// What came out is no static binary, or too large.
    InvalidArtifact,
    /// Somebody asked for it.
    Cancelled,
}

impl FailureReason {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CompileError => "compile_error",
            Self::Dependencies => "dependencies",
            Self::NoToolchain => "no_toolchain",
            Self::Timeout => "timeout",
            Self::CpuLimit => "cpu_limit",
            Self::Oom => "oom",
            Self::OutputLimit => "output_limit",
            Self::PidsLimit => "pids_limit",
            Self::DiskLimit => "disk_limit",
            Self::SandboxViolation => "sandbox_violation",
            Self::InvalidArtifact => "invalid_artifact",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Failed to build, for a reason on our side: worth another try.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The sandbox could not carry out the run.
    #[error("run the compiler")]
    Run(#[from] RunError),
    /// A warm cache has lost what it holds for builds.
    #[error("read the offered crates")]
    Offered(#[source] io::Error),
    /// The finished binary could not be read.
    #[error("read the compiled binary")]
    Read(#[source] io::Error),
}

/// Runs a plan to its end.
pub(crate) async fn run(
    plan: &BuildPlan,
    fetched: Fetched,
    sandbox: &Sandbox,
    limits: BuildLimits,
    cancel: &CancellationToken,
) -> Result<BuildOutcome, BuildError> {
    let program = Program {
        executable: Executable::InImage(plan.program.clone()),
        args: plan.args.clone(),
        env: plan.env.clone(),
        stdin: Vec::new(),
        files: plan.files.iter().cloned().chain(fetched.into_files()).collect(),
        collect: Some(Collect {
            path: plan.artifact_path.clone(),
            max_bytes: limits.artifact_bytes,
        }),
        limits: limits.for_sandbox(),
    };
    let mut outcome = sandbox.run(program, cancel).await?;
    let binary = match outcome.collected.take() {
        Some(file) => Some(read(file, limits.artifact_bytes).await?),
        None => None,
    };
    Ok(judge(plan, &outcome, binary, limits))
}

async fn read(file: std::fs::File, max_bytes: u64) -> Result<Vec<u8>, BuildError> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        file.take(max_bytes).read_to_end(&mut bytes).map(|_| bytes)
    });
    let read = reading.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    read.map_err(BuildError::Read)
}

fn judge(
    plan: &BuildPlan,
    outcome: &Outcome,
    binary: Option<Vec<u8>>,
    limits: BuildLimits,
) -> BuildOutcome {
    let mut log = BuildLog::from_output(&outcome.stderr, outcome.stderr_truncated);
    let diagnostics = match plan.language {
        Language::Go => go::parse(&log.text, plan),
        Language::Rust => rust::parse(&log.text, plan),
    };
    log.text.insert_str(0, &format!("built by {}\n", plan.toolchain));
    match verdict(outcome, binary, &log, &diagnostics, limits) {
        Ok(artifact) => BuildOutcome::Built(Built { artifact, diagnostics, log }),
        Err((reason, message)) => {
            BuildOutcome::Failed(BuildFailure { reason, message, diagnostics, log })
        }
    }
}

fn verdict(
    outcome: &Outcome,
    binary: Option<Vec<u8>>,
    log: &BuildLog,
    diagnostics: &[Diagnostic],
    limits: BuildLimits,
) -> Result<Artifact, (FailureReason, String)> {
    match outcome.ended {
        Ended::Exited(0) => verified(binary, limits.artifact_bytes)
            .map_err(|message| (FailureReason::InvalidArtifact, message)),
        Ended::Exited(_) if ran_out_of_disk(&log.text) => {
            Err(limit_reached(KillReason::DiskLimit, limits))
        }
        Ended::Exited(status) => Err((FailureReason::CompileError, summary(diagnostics, status))),
        Ended::Signalled(signal) => {
            let message = format!("the compiler was ended by signal {signal}");
            Err((FailureReason::CompileError, message))
        }
        Ended::Killed(kill) => Err(limit_reached(kill, limits)),
    }
}

/// A compiler or build script that reached the limit; the sandbox sees only the end of the command
/// that had started it.
fn ran_out_of_disk(log: &str) -> bool {
    const SIGNS: [&str; 4] =
        ["(signal: 25", "file size limit exceeded", "(os error 28)", "no space left on device"];
    let says_so = |line: &str| SIGNS.iter().any(|sign| line.contains(sign));
    log.lines().any(|line| says_so(line) && !is_quoted(line))
}

/// `3 | let text = "no space left on device";`: the author's own words, below a message of rustc.
fn is_quoted(line: &str) -> bool {
    let numbered = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
    numbered.trim_start().starts_with('|')
}

fn verified(binary: Option<Vec<u8>>, max_bytes: u64) -> Result<Artifact, String> {
    let bytes = binary.ok_or_else(|| {
        let most = max_bytes >> 20;
        format!("the build left no binary, or one larger than {most} MiB, or no regular file")
    })?;
    elf::check(&bytes).map_err(|reason| format!("the binary cannot be run: {reason}"))?;
    let sha256 = Sha256::digest(&bytes).into();
    Ok(Artifact { bytes, sha256 })
}

/// The first error, and how many more there are.
pub(crate) fn summary(diagnostics: &[Diagnostic], status: i32) -> String {
    let mut errors = diagnostics.iter().filter(|found| found.severity == Severity::Error);
    let Some(first) = errors.next() else {
        return format!("the compiler failed with exit status {status}; its log says more");
    };
    match errors.count() {
        0 => first.to_string(),
        1 => format!("{first} (and 1 more error)"),
        more => format!("{first} (and {more} more errors)"),
    }
}

fn limit_reached(kill: KillReason, limits: BuildLimits) -> (FailureReason, String) {
    let seconds = |duration: Duration| duration.as_secs();
    match kill {
        KillReason::Timeout => (
            FailureReason::Timeout,
            format!("the build took longer than {} s", seconds(limits.wall_time)),
        ),
        KillReason::CpuLimit => (
            FailureReason::CpuLimit,
            format!("the build used more than {} s of processor time", seconds(limits.cpu_time)),
        ),
        KillReason::OutOfMemory => (
            FailureReason::Oom,
            format!("the build needed more than {} MiB of memory", limits.memory_bytes >> 20),
        ),
        KillReason::PidsLimit => (
            FailureReason::PidsLimit,
            format!("the build started more than {} processes or threads", limits.pids),
        ),
        KillReason::OutputLimit => {
            (FailureReason::OutputLimit, "the build printed too much on standard output".into())
        }
        KillReason::DiskLimit => {
            (FailureReason::DiskLimit, "the build wrote too large or too many files".into())
        }
        KillReason::SandboxViolation => (
            FailureReason::SandboxViolation,
            "the build made a system call that no compiler makes".into(),
        ),
        KillReason::Cancelled => (FailureReason::Cancelled, "the build was cancelled".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_source_that_speaks_of_one() {
        assert!(ran_out_of_disk("error: failed to write x: No space left on device (os error 28)"));
        assert!(ran_out_of_disk("compile: writing output: no space left on device"));
        assert!(!ran_out_of_disk(
            "error: mismatched types\n 12 | f(\"no space left on device\")\n"
        ));
        assert!(!ran_out_of_disk("   | ^ \"(os error 28)\""));
    }
}
