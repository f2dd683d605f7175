//! Where compiled binaries live: addressed by the sha256 of their content, verified at every load.

mod directory;
mod error;
mod s3;
mod store;

pub use error::ArtifactError;
pub use store::ArtifactStore;
