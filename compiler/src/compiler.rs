//! The door of the room: toolchains with warm caches, plans, builds.

use std::{
    io,
    path::{Path, PathBuf},
};

use sandbox::{Conditions, Ended, Image, Profile, Sandbox, StartError, ToolError};
use sha2::{Digest, Sha256};
use shared::domain::{Runtime, SourceBundle};
use tokio_util::sync::CancellationToken;

use crate::{
    build::{self, BuildError, BuildFailure, BuildLimits, BuildOutcome, FailureReason},
    cache,
    dependencies::{Fetched, Fetches},
    log::BuildLog,
    plan::{BuildPlan, Refusal},
    toolchain::{Language, Toolchains, go, rust},
};

/// Compiles with what is installed, warm from the first build on.
#[derive(Debug, Clone)]
pub struct Compiler {
    toolchains: Toolchains,
    go_cache: Option<PathBuf>,
    rust_cache: Option<PathBuf>,
    fetches: Fetches,
}

impl Compiler {
    /// Makes the caches of the toolchains below `cache_dir` where they are missing (about half a
    /// minute for both, once per toolchain version and machine). Safe in several processes at once;
    /// a cut-off attempt leaves nothing that counts. A toolchain whose cache cannot be made, for want
    /// of a registry perhaps, is passed over, and `toolchains` says so: the other one still builds.
    /// `fetches` are the dependencies that `build` will be given. Filling a cache takes a sandbox,
    /// which has these conditions.
    pub async fn prepare(
        mut toolchains: Toolchains,
        cache_dir: &Path,
        fetches: Fetches,
        conditions: &Conditions,
    ) -> Self {
        let (go, rust) = tokio::join!(
            go_cache(&toolchains, cache_dir, conditions),
            rust_cache(&toolchains, cache_dir, conditions)
        );
        let mut or_pass_over = |language, cache: Result<_, PrepareError>| {
            cache.unwrap_or_else(|trouble| {
                toolchains.pass_over(language, &trouble);
                None
            })
        };
        let go_cache = or_pass_over(Language::Go, go);
        let rust_cache = or_pass_over(Language::Rust, rust);
        Self { toolchains, go_cache, rust_cache, fetches }
    }

    /// What the sandbox for builds must show: toolchains and warm caches, read-only, nothing else.
    pub fn image(&self) -> Image {
        let mut image = Image { name: "build".into(), profile: Profile::Build, ..Image::empty() };
        if let Some((go, cache)) = self.toolchains.go.as_ref().zip(self.go_cache.as_deref()) {
            let (binds, overlay) = go::image_parts(go, cache);
            image.binds.extend(binds);
            image.overlays.push(overlay);
        }
        if let Some((rust, cache)) = self.toolchains.rust.as_ref().zip(self.rust_cache.as_deref()) {
            let (binds, links, overlay) = rust::image_parts(rust, cache);
            image.binds.extend(binds);
            image.links.extend(links);
            image.overlays.push(overlay);
        }
        image
    }

    /// What is installed.
    pub fn toolchains(&self) -> &Toolchains {
        &self.toolchains
    }

    /// Decides how a source is built, without running anything. The plan's key tells whether the
    /// same build was done before.
    pub fn plan(&self, runtime: Runtime, source: &SourceBundle) -> Result<BuildPlan, BuildFailure> {
        let planned = match (runtime, &self.toolchains.go, &self.toolchains.rust) {
            (Runtime::Go { minor }, Some(go), _) if go.version.minor >= minor => {
                go::plan(source, minor, go.version, self.fetches)
            }
            (Runtime::Rust, _, Some(rust)) => rust::plan(source, &rust.version, self.fetches),
            _ => return Err(self.no_toolchain(runtime)),
        };
        planned.map_err(refused)
    }

    /// Builds in `sandbox`, which must show this compiler's `image`. `fetched` is what the plan needs.
    /// Cancelling ends the build as failed.
    pub async fn build(
        &self,
        sandbox: &Sandbox,
        plan: &BuildPlan,
        mut fetched: Fetched,
        limits: BuildLimits,
        cancel: &CancellationToken,
    ) -> Result<BuildOutcome, BuildError> {
        if let Some(cache) = self.rust_cache.as_deref().filter(|_| plan.joins_offered) {
            rust::join_offered(cache, &mut fetched).await.map_err(BuildError::Offered)?;
        }
        build::run(plan, fetched, sandbox, limits, cancel).await
    }

    fn no_toolchain(&self, runtime: Runtime) -> BuildFailure {
        BuildFailure {
            reason: FailureReason::NoToolchain,
            message: self.toolchains.refusal(runtime),
            diagnostics: Vec::new(),
            log: BuildLog::default(),
        }
    }
}

fn refused(diagnostics: Refusal) -> BuildFailure {
    let lines: String = diagnostics.iter().map(|found| format!("{found}\n")).collect();
    BuildFailure {
        reason: FailureReason::CompileError,
        message: build::summary(&diagnostics, 0),
        diagnostics,
        log: BuildLog { text: lines, truncated: false },
    }
}

async fn go_cache(
    toolchains: &Toolchains,
    cache_dir: &Path,
    conditions: &Conditions,
) -> Result<Option<PathBuf>, PrepareError> {
    let Some(go) = &toolchains.go else { return Ok(None) };
    let name = cache_name("go", &go.version.to_string(), go::warm_up_inputs());
    let fill = async |staging: &Path| go::warm_up(go, staging, conditions).await;
    cache::publish(cache_dir, &name, fill).await.map(Some)
}

async fn rust_cache(
    toolchains: &Toolchains,
    cache_dir: &Path,
    conditions: &Conditions,
) -> Result<Option<PathBuf>, PrepareError> {
    let Some(rust) = &toolchains.rust else { return Ok(None) };
    let name = cache_name("rust", &rust.identity, rust::warm_up_inputs());
    let fill = async |staging: &Path| rust::warm_up(rust, staging, conditions).await;
    cache::publish(cache_dir, &name, fill).await.map(Some)
}

/// Everything that decides what is in a cache: the exact toolchain, and what it is warmed up with.
fn cache_name(language: &str, identity: &str, inputs: Vec<String>) -> String {
    let mut hasher = Sha256::new();
    for part in [identity.to_owned()].iter().chain(&inputs) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    format!("{language}-{}", hex::encode(&hasher.finalize()[..6]))
}

/// Failed to make a compiler ready.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// A directory or file of the cache.
    #[error("write the compiler cache at {path:?}")]
    Cache {
        /// The one in question.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// rustc needs a library that is not installed.
    #[error("find {name}, which rustc needs: install glibc, libgcc and zlib")]
    HostLibrary {
        /// File name of the library.
        name: &'static str,
    },
    /// The crates offered to functions could not be fetched.
    #[error("fetch the crates offered to functions: {log}")]
    FetchCrates {
        /// What cargo printed.
        log: String,
    },
    /// A trusted tool could not be run.
    #[error("run a tool of the toolchain")]
    Tool(#[from] ToolError),
    /// The sandbox could not start.
    #[error("start the sandbox for warming up")]
    Start(#[from] StartError),
    /// The sandbox could not carry out a run.
    #[error("warm up in the sandbox")]
    Run(#[from] sandbox::RunError),
    /// A command of ours did not succeed.
    #[error("warm up with `{command}`: it ended as {ended:?}\n{log}")]
    WarmUp {
        /// As it was run.
        command: String,
        /// How it ended.
        ended: Ended,
        /// What it printed.
        log: String,
    },
}
