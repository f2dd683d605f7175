//! Runs a trusted tool of ours, without isolation: a toolchain probe, a fetch of declared sources.
//!
//! Never for anything a tenant wrote. The tool gets a clean environment, a process group of its own
//! that dies with it, a deadline, and bounded output.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::timeout,
};

use crate::sys;

/// What to run.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Absolute path of the executable.
    pub executable: PathBuf,
    /// Arguments after the name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub directory: PathBuf,
    /// The tool's process group is killed after this.
    pub deadline: Duration,
    /// Kept of standard output and of standard error, each; the rest is read and dropped.
    pub output_bytes: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct ToolOutput {
    /// The exit status; None when a signal ended it.
    pub status: Option<i32>,
    /// At most `output_bytes`.
    pub stdout: Vec<u8>,
    /// At most `output_bytes`.
    pub stderr: Vec<u8>,
}

/// Failed to run a tool.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It could not be started.
    #[error("start {executable:?}")]
    Start {
        /// As given.
        executable: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// It did not end in time and was killed.
    #[error("run {executable:?} within {deadline:?}")]
    TooSlow {
        /// As given.
        executable: PathBuf,
        /// As given.
        deadline: Duration,
    },
    /// Waiting for it failed.
    #[error("wait for a tool")]
    Wait(#[from] io::Error),
}

/// Runs a tool to its end. Dropping the future kills it and its process group.
pub async fn run_tool(tool: Tool) -> Result<ToolOutput, ToolError> {
    let mut running = Running::start(&tool)?;
    let stdout = keep(running.child.stdout.take(), tool.output_bytes);
    let stderr = keep(running.child.stderr.take(), tool.output_bytes);
    let ended = timeout(tool.deadline, running.ended()).await;
    // Whatever it started must not outlive it, nor hold its output open.
    running.kill_group();
    let Ok(ended) = ended else {
        return Err(ToolError::TooSlow { executable: tool.executable, deadline: tool.deadline });
    };
    ended?;
    let status = running.child.wait()?.code();
    let (stdout, stderr) = tokio::task::spawn_blocking(|| (finish(stdout), finish(stderr)))
        .await
        .map_err(io::Error::other)?;
    Ok(ToolOutput { status, stdout, stderr })
}

struct Running {
    child: Child,
    pidfd: AsyncFd<std::os::fd::OwnedFd>,
    group: Pid,
}

impl Running {
    fn start(tool: &Tool) -> Result<Running, ToolError> {
        let child = Command::new(&tool.executable)
            .args(&tool.args)
            .env_clear()
            .envs(tool.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&tool.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|source| ToolError::Start { executable: tool.executable.clone(), source })?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let group = group.ok_or(io::ErrorKind::InvalidData).map_err(io::Error::from)?;
        let pidfd = pidfd_open(group, PidfdFlags::NONBLOCK).map_err(io::Error::from)?;
        let pidfd = sys::watched(pidfd, Interest::READABLE)?;
        Ok(Running { child, pidfd, group })
    }

    async fn ended(&self) -> io::Result<()> {
        self.pidfd.readable().await.map(drop)
    }

    fn kill_group(&self) {
        // The leader is not reaped yet, so the number still means this group.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill_group();
            let _ = self.child.wait();
        }
    }
}

/// Reads a stream to its end in a thread of its own, keeping the first bytes.
fn keep(stream: Option<impl Read + Send + 'static>, most: usize) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            // A broken pipe ends the output; what came before is kept.
            let _ = stream.by_ref().take(most as u64).read_to_end(&mut kept);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        kept
    })
}

fn finish(reader: JoinHandle<Vec<u8>>) -> Vec<u8> {
    reader.join().unwrap_or_default()
}
