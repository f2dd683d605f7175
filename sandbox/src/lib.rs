//! Runs one native program as a fresh, isolated process and says how it ended.
//!
//! The room knows programs, limits and outcomes. It never knows functions, jobs, tenants or the
//! database. There is no way to run a program here without isolation.

mod canary;
mod capture;
mod cgroup;
mod error;
mod image;
mod link;
mod memory_file;
mod network;
mod outcome;
mod pool;
mod program;
mod protocol;
mod run;
mod sandbox;
mod seccomp;
mod slot;
mod spawner;
mod sys;
mod tool;
mod verdict;
mod warden;
mod watch;
mod wire;

pub use error::{Layer, MissingLayer, RunError, Stage, StartError};
pub use image::{Access, Bind, HOME_DIR, Image, Overlay, Profile, TMP_DIR, WORK_DIR};
pub use network::{Doors, Gate, Prefix, RESOLVER, Routes};
pub use outcome::{Ended, KillReason, Outcome, Usage};
pub use program::{Collect, DiskSize, Executable, InputFile, Limits, Program};
pub use sandbox::{Conditions, Options, Sandbox};
pub use spawner::{Launcher, become_spawner_if_asked};
pub use tool::{Tool, ToolError, ToolOutput, run_tool};
pub use warden::Warden;
