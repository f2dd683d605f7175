//! What a run can see of the host's files: nothing, or a sealed, read-only set of tools.
//!
//! An image is fixed when a sandbox starts. Afterwards no code path can name any other host file.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::network::{RESOLVER, Routes};

/// The working directory of a build, and the root below which files are laid out and collected.
pub const WORK_DIR: &str = "/work";
/// A build's private, empty home. Callers set `HOME` to it; nothing sets it for them.
pub const HOME_DIR: &str = "/home";
/// Scratch space of every run, and the working directory of a `Profile::Function`.
pub const TMP_DIR: &str = "/tmp";

/// The root file system of every run of one sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// For logs and errors.
    pub name: String,
    /// Host files and directories, in the order in which they are mounted.
    pub binds: Vec<Bind>,
    /// Symbolic links as (what the link says, where the link stands).
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Small files of its own, as (absolute path inside the image, content).
    pub files: Vec<(PathBuf, String)>,
    /// Private writable layers over read-only directories of the image.
    pub overlays: Vec<Overlay>,
    /// What a run in this image is allowed to do.
    pub profile: Profile,
    /// What a `Profile::Networked` run may try to reach.
    pub routes: Routes,
}

/// A host file or directory and where runs find it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bind {
    /// Absolute path on the host. What is mounted below it stays invisible.
    pub source: PathBuf,
    /// Absolute path inside the image.
    pub target: PathBuf,
    /// Whether runs may write there.
    pub access: Access,
}

/// What a run may do with a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// The normal case.
    ReadOnly,
    /// For trusted warm-up runs only: everything written is seen by every later run.
    Writable,
}

/// A directory of the image that each run sees writable, with its own changes, which count towards
/// `Limits::disk_bytes` and vanish with the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Overlay {
    /// Absolute path inside the image, a bound read-only cache for example.
    pub lower: PathBuf,
    /// Absolute path inside the image where the writable view appears.
    pub target: PathBuf,
}

/// The kinds of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// A static binary and nothing else: `/tmp` without exec as working directory, no `/proc`, the
    /// narrow system-call list.
    Function,
    /// The same with TCP and a resolver: see `network`.
    Networked,
    /// Compilers: `/work`, `/home` and `/tmp` writable and executable, an own `/proc`, the wide list.
    Build,
}

impl Image {
    /// The image for functions: an empty root with `/dev/null` and its like.
    pub fn empty() -> Image {
        Image {
            name: "empty".into(),
            binds: Vec::new(),
            links: Vec::new(),
            files: Vec::new(),
            overlays: Vec::new(),
            profile: Profile::Function,
            routes: Routes::default(),
        }
    }

    /// The same for functions that may reach what `routes` leaves open, through the sandbox's gate.
    pub fn networked(routes: Routes) -> Image {
        let resolver = format!("nameserver {RESOLVER}\n");
        Image {
            name: "networked".into(),
            files: vec![("/etc/resolv.conf".into(), resolver)],
            profile: Profile::Networked,
            routes,
            ..Image::empty()
        }
    }

    /// The first path that is not absolute or holds `..`, if any.
    pub(crate) fn bad_path(&self) -> Option<&Path> {
        let binds = self.binds.iter().flat_map(|bind| [&bind.source, &bind.target]);
        let overlays = self.overlays.iter().flat_map(|overlay| [&overlay.lower, &overlay.target]);
        let links = self.links.iter().map(|(_, link)| link);
        let files = self.files.iter().map(|(file, _)| file);
        binds
            .chain(overlays)
            .chain(links)
            .chain(files)
            .map(PathBuf::as_path)
            .find(|path| !is_plain(path))
    }
}

fn is_plain(path: &Path) -> bool {
    path.is_absolute()
        && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}
