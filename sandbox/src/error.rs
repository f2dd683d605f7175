//! Trouble on our side: a sandbox that cannot start, a run that could not be carried out.
//!
//! What a program does wrong is never here; that is an `Outcome`.

use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// One layer of isolation. A sandbox starts only when every one of them is proven to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The rights to set up everything else.
    Privileges,
    /// Own namespaces and a sealed root.
    Namespaces,
    /// A block of user ids that no other instance on this host uses.
    Uids,
    /// A memory limit over the whole tree.
    Memory,
    /// A limit on processes and threads.
    Pids,
    /// A share of the processor.
    Cpu,
    /// Ending a whole tree at once.
    KillAll,
    /// The system-call filter.
    Seccomp,
    /// No network of any kind.
    Network,
    /// No file of the host.
    Files,
}

/// Every layer with the name used in messages and in `--allow-degraded`.
const LAYER_NAMES: [(Layer, &str); 10] = [
    (Layer::Privileges, "privileges"),
    (Layer::Namespaces, "namespaces"),
    (Layer::Uids, "uids"),
    (Layer::Memory, "memory"),
    (Layer::Pids, "pids"),
    (Layer::Cpu, "cpu"),
    (Layer::KillAll, "kill-all"),
    (Layer::Seccomp, "seccomp"),
    (Layer::Network, "network"),
    (Layer::Files, "files"),
];

impl Layer {
    /// The name used in messages and in `--allow-degraded`.
    pub fn name(self) -> &'static str {
        LAYER_NAMES.iter().find(|(layer, _)| *layer == self).map_or("", |(_, name)| name)
    }

    /// Every layer there is.
    pub fn all() -> impl Iterator<Item = Layer> {
        LAYER_NAMES.iter().map(|(layer, _)| *layer)
    }

    /// The layer of that name.
    pub fn from_name(name: &str) -> Option<Layer> {
        LAYER_NAMES.iter().find(|(_, known)| *known == name).map(|(layer, _)| *layer)
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A layer that does not hold here: what, why, and how to fix it, on one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingLayer {
    /// Which one.
    pub layer: Layer,
    /// What was tried and what came of it, with the errno's text where there is one.
    pub why: String,
    /// What the operator can do.
    pub fix: String,
}

impl fmt::Display for MissingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.layer, self.why, self.fix)
    }
}

/// A step of setting up a slot and launching a program in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the description")]
pub enum Stage {
    CreateGroup,
    Fork,
    Network,
    EnterGroup,
    Hostname,
    Mount,
    ForkMain,
    DropInit,
    Identity,
    Filter,
    Receive,
    LayOutFiles,
    Rlimits,
    Exec,
}

/// A step that failed, as it travels between our own processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> RunError {
        let source = io::Error::from_raw_os_error(failure.errno);
        match (failure.stage, failure.errno) {
            // What execve(2) says about the file itself rather than about us.
            (
                Stage::Exec,
                libc::ENOEXEC
                | libc::EACCES
                | libc::ENOENT
                | libc::ENOTDIR
                | libc::EINVAL
                | libc::ELIBBAD
                | libc::EISDIR
                | libc::ETXTBSY,
            ) => RunError::NotExecutable(source),
            (stage, _) => RunError::Setup { stage, source },
        }
    }
}

/// Runs set-up steps and names the one that failed. Tests make any step fail on purpose.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Steps {
    pub(crate) fail_at: Option<Stage>,
}

impl Steps {
    pub(crate) fn take<T>(
        self,
        stage: Stage,
        step: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, Failure> {
        let result = if self.fail_at == Some(stage) { Err(eio()) } else { step() };
        result.map_err(|error| Failure { stage, errno: errno_of(&error) })
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}

/// The errno behind an error; EPROTO for those that never came from the kernel.
pub(crate) fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EPROTO)
}

/// Failed to start a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Isolation is incomplete; one entry per layer. Nothing was started.
    #[error("isolate; what is missing, why, and what to do:{}", one_per_line(.0))]
    Incomplete(Vec<MissingLayer>),
    /// A path of the image is relative or holds `..`.
    #[error("use image path {0:?}: it must be absolute and without '..'")]
    ImagePath(std::path::PathBuf),
    /// A networked image goes with a gate, and no other image does.
    #[error("serve a network: a networked image and a gate belong together")]
    Gate,
    /// More slots than a block of user ids holds.
    #[error("offer {asked} slots: at most {most} fit")]
    TooManySlots {
        /// Running and primed together.
        asked: usize,
        /// The size of the block.
        most: usize,
    },
    /// The canary could not be run at all.
    #[error("run the canary")]
    Canary(#[source] RunError),
    /// The spawner process could not be started or talked to.
    #[error("start the spawner process")]
    Spawner(#[source] io::Error),
}

fn one_per_line(layers: &[MissingLayer]) -> String {
    layers.iter().map(|layer| format!("\n  {layer}")).collect()
}

/// Failed to carry out a run. The program was not started, or its end is unknown.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The sandbox is stopping, or its spawner is gone and could not be replaced.
    #[error("run a program: the sandbox is not available")]
    Unavailable,
    /// Our own preparation failed; the program never ran.
    #[error("prepare the run at step {stage:?}")]
    Setup {
        /// The step.
        stage: Stage,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The kernel refused the binary: wrong architecture, truncated, a script, not static.
    #[error("execute the program")]
    NotExecutable(#[source] io::Error),
    /// Arguments and environment exceed what one packet carries.
    #[error("pass {bytes} bytes of arguments and environment: at most {most} fit")]
    TooLarge {
        /// As counted.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A string holds NUL, or a file path is absolute or holds `..`.
    #[error("use {0:?} as an argument, variable or path")]
    Malformed(String),
    /// A system call failed in this process.
    #[error("talk to the sandboxed process")]
    Io(#[from] io::Error),
    /// The slot vanished without telling how the program ended.
    #[error("learn how the program ended")]
    Lost,
}
