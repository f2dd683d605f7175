//! A build, decided but not yet run: which files, which command, which file comes out.

use std::path::PathBuf;

use sandbox::InputFile;
use sha2::{Digest, Sha256};
use shared::domain::{Diagnostic, SourceBundle};

use crate::{
    dependencies::Dependency,
    toolchain::{Language, scan::Function},
};

/// Everything that decides what a build produces. Two equal plans produce the same artifact.
#[derive(Debug, Clone)]
pub struct BuildPlan {
    pub(crate) language: Language,
    /// Exact version and platform of the toolchain.
    pub(crate) toolchain: String,
    /// Absolute path inside the build image.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// The author's files below `source/`, and what was generated.
    pub(crate) files: Vec<InputFile>,
    /// Where the artifact will be, relative to `/work`.
    pub(crate) artifact_path: String,
    /// What else decides the result, though it is not among the files: prepared once, see `warm`.
    pub(crate) prepared: &'static [&'static str],
    /// What has to be fetched first. Not part of the key: the files that pin it are.
    pub(crate) needs: Vec<Dependency>,
    /// The crates offered to Rust functions are put beside those.
    pub(crate) joins_offered: bool,
    /// The handler as it was found, for messages about its signature.
    pub(crate) handler: Option<(String, Function)>,
}

/// Names an artifact before it exists: sha256 over source, generated code, command line,
/// environment, toolchain and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArtifactKey(pub [u8; 32]);

impl BuildPlan {
    /// The same key means the same artifact: no build is needed.
    pub fn key(&self) -> ArtifactKey {
        let mut hasher = Sha256::new();
        let mut feed = |part: &[u8]| {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        };
        feed(self.toolchain.as_bytes());
        feed(self.program.as_os_str().as_encoded_bytes());
        feed(self.artifact_path.as_bytes());
        feed(&(self.args.len() as u64).to_be_bytes());
        self.args.iter().for_each(|arg| feed(arg.as_bytes()));
        feed(&(self.env.len() as u64).to_be_bytes());
        for (name, value) in &self.env {
            feed(name.as_bytes());
            feed(value.as_bytes());
        }
        feed(&(self.prepared.len() as u64).to_be_bytes());
        self.prepared.iter().for_each(|part| feed(part.as_bytes()));
        for file in &self.files {
            feed(file.path.as_bytes());
            feed(&file.content);
        }
        ArtifactKey(hasher.finalize().into())
    }

    /// What has to be fetched before this can be built.
    pub fn needs(&self) -> &[Dependency] {
        &self.needs
    }

    /// The exact toolchain, as it is pinned in the artifact: `go1.27.3 linux/amd64`.
    pub fn toolchain(&self) -> &str {
        &self.toolchain
    }
}

/// A source that cannot be planned, in the words of a compiler.
pub(crate) type Refusal = Vec<Diagnostic>;

/// Where a file is generated if the author has none, there must be no folder either.
pub(crate) fn refuse_folder(source: &SourceBundle, name: &str) -> Result<(), Refusal> {
    let is_in_it = |path: &str| path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    match source.files().find(|(path, _)| is_in_it(path)) {
        Some((path, _)) => {
            let message = format!("{name} is the name of a file, not of a folder: rename it");
            Err(vec![Diagnostic::error(message).at(path, 1, 1)])
        }
        None => Ok(()),
    }
}

/// A generated or given text as a file below `/work`.
pub(crate) fn file(path: impl Into<String>, content: impl Into<Vec<u8>>) -> InputFile {
    InputFile { path: path.into(), content: content.into() }
}

/// An environment from literals.
pub(crate) fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
