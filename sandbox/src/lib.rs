//! Runs one native program as a fresh, isolated process and says how it ended.
//!
//! The room knows programs, limits and outcomes. It never knows functions, jobs, tenants or the
//! database. There is no way to run a program here without isolation.

mod outcome;
mod program;

pub use outcome::{Ended, KillReason, Outcome, Usage};
pub use program::{Collect, Executable, InputFile, Limits, Program};
