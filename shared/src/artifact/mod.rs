//! Where compiled binaries live: addressed by the sha256 of their content, verified at every load.

mod directory;

pub use directory::{ArtifactError, ArtifactStore};
