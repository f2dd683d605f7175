//! Source in, verified native binary or diagnostics out. Knows no database, queue or HTTP.
//!
//! Compiling a stranger's code is running it: every build runs in a sandbox that shows toolchains and
//! warm caches read-only and nothing else of the machine. How a build walks is told in README.md.

mod build;
mod cache;
mod compiler;
mod dependencies;
mod document;
mod elf;
mod log;
mod plan;
mod protocol;
mod toolchain;
mod warm;

pub use build::{
    Artifact, BuildError, BuildFailure, BuildLimits, BuildOutcome, Built, FailureReason,
};
pub use compiler::Compiler;
pub(crate) use compiler::PrepareError;
pub use dependencies::{Crate, Dependency, Fetched, Fetches, GoModule};
pub use log::BuildLog;
pub use plan::{ArtifactKey, BuildPlan};
pub use protocol::{FunctionResult, interpret};
pub use toolchain::{InstalledToolchain, Places, Toolchains};
