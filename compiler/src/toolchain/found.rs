//! What is installed here, for reports and for choosing.

use std::fmt;

use serde::Serialize;
use shared::{domain::Runtime, telemetry::chain};

use super::{
    Language, Places,
    go::{self, GoToolchain},
    rust::{self, RustToolchain},
};
use crate::PrepareError;

/// The newest usable toolchain of each language, and why others were passed over.
#[derive(Debug, Clone, Default)]
pub struct Toolchains {
    pub(crate) go: Option<GoToolchain>,
    pub(crate) rust: Option<RustToolchain>,
    unusable: Vec<String>,
    /// Some of those could be used but for trouble that may pass.
    has_trouble: bool,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstalledToolchain {
    /// `go` or `rust`.
    pub language: &'static str,
    /// As the toolchain says it: `go1.27.3`, `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub version: String,
    /// Directory on this machine.
    pub root: String,
    /// The runtimes it serves: `go1.0 to go1.27`, `rust`.
    pub serves: String,
    /// The newest of them.
    pub newest: Runtime,
}

impl Toolchains {
    /// Looks at every place. Runs `rustc` once for each candidate, nothing else.
    pub async fn discover(places: &Places) -> Self {
        let mut unusable = Vec::new();
        let go = go::discover(&places.go_roots(), &mut unusable);
        let rust = rust::discover(&places.rust_roots(), &mut unusable).await;
        Self { go, rust, unusable, has_trouble: false }
    }

    /// What will be used.
    pub fn installed(&self) -> Vec<InstalledToolchain> {
        let go = self.go.as_ref().map(|go| InstalledToolchain {
            language: "go",
            version: go.version.to_string(),
            root: go.root.display().to_string(),
            serves: format!("go1.0 to go1.{}", go.version.minor),
            newest: Runtime::Go { minor: go.version.minor },
        });
        let rust = self.rust.as_ref().map(|rust| InstalledToolchain {
            language: "rust",
            version: rust.version.clone(),
            root: rust.root.display().to_string(),
            serves: "rust".to_owned(),
            newest: Runtime::Rust,
        });
        go.into_iter().chain(rust).collect()
    }

    /// What was found but cannot be used, with the reason and the remedy.
    pub fn unusable(&self) -> &[String] {
        &self.unusable
    }

    /// A toolchain is installed, but something that its builds need could not be made.
    pub(crate) fn pass_over(&mut self, language: Language, trouble: &PrepareError) {
        let root = match language {
            Language::Go => self.go.take().map(|go| format!("Go at {}", go.root.display())),
            Language::Rust => {
                self.rust.take().map(|rust| format!("Rust at {}", rust.root.display()))
            }
        };
        let reason = format!("failed to {}", chain(trouble));
        self.unusable.push(format!("{}: {reason}", root.unwrap_or_default()));
        self.has_trouble = true;
    }

    /// True when making ready what is passed over now may be possible later.
    pub fn has_trouble(&self) -> bool {
        self.has_trouble
    }

    /// Whether an installed toolchain is new enough for a runtime.
    pub fn serves(&self, runtime: Runtime) -> bool {
        match runtime {
            Runtime::Go { minor } => self.go.as_ref().is_some_and(|go| go.version.minor >= minor),
            Runtime::Rust => self.rust.is_some(),
        }
    }

    /// For the author: what the runtime needs, and what there is.
    pub(crate) fn refusal(&self, runtime: Runtime) -> String {
        let needs = match runtime {
            Runtime::Go { minor } => format!("Go ≥ 1.{minor}"),
            Runtime::Rust => "a Rust toolchain".to_owned(),
        };
        let mut message = format!("runtime {runtime} needs {needs}; installed: {self}");
        for reason in &self.unusable {
            message.push_str(&format!("; {reason}"));
        }
        message
    }
}

impl fmt::Display for Toolchains {
    /// `go1.27.3, rustc 1.95.0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions: Vec<_> = self.installed().into_iter().map(|found| found.version).collect();
        f.write_str(if versions.is_empty() { "none" } else { "" })?;
        f.write_str(&versions.join(", "))
    }
}
