//! Why an artifact could not be stored, loaded or removed.

use std::{io, path::PathBuf};

/// Failed to work with the artifact store.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The file system refused.
    #[error("failed to access the artifact at {path}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The settings of an S3 store are not complete or make no sense.
    #[error("failed to use the artifact store: {0}")]
    Settings(String),
    /// The S3 store refused, or could not be reached, as often as it was tried.
    #[error("failed to access {place}")]
    S3 {
        /// `s3://bucket/key`.
        place: String,
        /// The last answer.
        #[source]
        source: Box<s3::error::S3Error>,
    },
    /// The store has no such artifact.
    #[error("failed to find artifact {sha256} in the store")]
    Missing {
        /// Which, in hex.
        sha256: String,
    },
    /// The bytes in the store are not the bytes that were put there.
    #[error("failed to verify artifact {sha256}: the store holds other bytes")]
    Corrupt {
        /// Which, in hex.
        sha256: String,
    },
}

impl ArtifactError {
    /// True when only another build brings the artifact back: it is gone, or no longer what it was.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Corrupt { .. })
    }
}
