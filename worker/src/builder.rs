//! What builds need: a compiler with warm caches and a sandbox that shows its toolchains. Made
//! ready beside the calls, because warming up takes half a minute on a new machine.

use std::{path::PathBuf, sync::Arc};

use compiler::{Compiler, Fetches, Places, Toolchains};
use sandbox::{Conditions, Sandbox};
use shared::config::FetchSettings;

use crate::fetch::Fetcher;

/// Why no builds can be done here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuilderError {
    /// What speaks to registries.
    #[error("failed to make the fetching of dependencies ready")]
    Fetch(#[from] reqwest::Error),
    /// A layer of isolation is missing; it says which, why, and how to fix it.
    #[error("failed to start the sandbox for builds")]
    Sandbox(#[from] sandbox::StartError),
}

/// Where toolchains and their caches are.
#[derive(Debug, Clone)]
pub struct BuilderOptions {
    /// Where to look for toolchains.
    pub places: Places,
    /// What warm-ups leave for later builds.
    pub cache_dir: PathBuf,
    /// Where dependencies come from.
    pub fetch: FetchSettings,
    /// Builds at once.
    pub slots: u32,
}

/// A compiler, the sandbox that fits it, and what gets dependencies.
pub(crate) struct Builder {
    pub(crate) fetcher: Fetcher,
    pub(crate) compiler: Arc<Compiler>,
    pub(crate) sandbox: Sandbox,
}

impl Builder {
    /// Makes the compilers ready that can be.
    pub(crate) async fn prepare(
        options: &BuilderOptions,
        toolchains: Toolchains,
        conditions: &Conditions,
    ) -> Compiler {
        let fetches = Fetches {
            go_modules: options.fetch.go_proxy.is_some(),
            crates: options.fetch.cargo_registry.is_some(),
        };
        let compiler = Compiler::prepare(toolchains, &options.cache_dir, fetches, conditions).await;
        for reason in compiler.toolchains().unusable() {
            tracing::warn!(reason, "a toolchain cannot be used");
        }
        compiler
    }

    pub(crate) async fn open(
        options: &BuilderOptions,
        compiler: Compiler,
        conditions: &Conditions,
    ) -> Result<Self, BuilderError> {
        let fetcher = Fetcher::new(options.fetch.clone())?;
        let sandbox = Sandbox::start(sandbox::Options {
            slots: options.slots as usize,
            // A build takes far longer than making a slot for it.
            primed: 0,
            conditions: conditions.clone(),
            ..sandbox::Options::new(compiler.image())
        })
        .await?;
        tracing::info!(toolchains = %compiler.toolchains(), "ready to build");
        Ok(Self { fetcher, compiler: Arc::new(compiler), sandbox })
    }
}
