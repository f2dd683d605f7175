//! Artifacts in a local directory: `<root>/ab/abcdef…`, published by rename, never changed.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Why an artifact could not be stored or loaded.
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

/// A directory of artifacts; clones share it, and so may several processes.
#[derive(Debug, Clone)]
pub struct ArtifactStore {
    root: PathBuf,
}

impl ArtifactStore {
    /// Opens the directory, making it if it is missing.
    pub fn open(root: &Path) -> Result<Self, ArtifactError> {
        std::fs::create_dir_all(root)
            .map_err(|source| ArtifactError::Io { path: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned() })
    }

    /// Stores a binary under its hash, flushed to disk before this returns; putting the same bytes
    /// again changes nothing.
    pub async fn put(&self, binary: Vec<u8>) -> Result<[u8; 32], ArtifactError> {
        let store = self.clone();
        run_blocking(move || {
            let sha256: [u8; 32] = Sha256::digest(&binary).into();
            let path = store.path_of(&sha256);
            publish(&path, &binary).map_err(|source| ArtifactError::Io { path, source })?;
            Ok(sha256)
        })
        .await
    }

    /// Loads a binary and checks that it is the one that was stored.
    pub async fn get(&self, sha256: [u8; 32]) -> Result<Vec<u8>, ArtifactError> {
        let path = self.path_of(&sha256);
        run_blocking(move || {
            let binary = match std::fs::read(&path) {
                Ok(binary) => binary,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(ArtifactError::Missing { sha256: hex::encode(sha256) });
                }
                Err(source) => return Err(ArtifactError::Io { path, source }),
            };
            if <[u8; 32]>::from(Sha256::digest(&binary)) != sha256 {
                return Err(ArtifactError::Corrupt { sha256: hex::encode(sha256) });
            }
            Ok(binary)
        })
        .await
    }

    fn path_of(&self, sha256: &[u8; 32]) -> PathBuf {
        let name = hex::encode(sha256);
        self.root.join(&name[..2]).join(&name)
    }
}

/// Writes beside the final place and renames, so that a reader sees all of it or nothing, also
/// after a power cut.
fn publish(path: &Path, binary: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(binary)?;
    draft.as_file().sync_all()?;
    draft.persist(path)?;
    std::fs::File::open(folder)?.sync_all()
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The closures above do not panic by themselves; a panic goes on where it would have been.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, ArtifactStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(&folder.path().join("artifacts")).unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn what_was_put_comes_back() {
        let (_folder, store) = store();
        let sha256 = store.put(b"binary".to_vec()).await.unwrap();
        assert_eq!(store.put(b"binary".to_vec()).await.unwrap(), sha256);
        assert_eq!(store.get(sha256).await.unwrap(), b"binary");
    }

    #[tokio::test]
    async fn changed_bytes_are_refused() {
        let (_folder, store) = store();
        let sha256 = store.put(b"binary".to_vec()).await.unwrap();
        std::fs::write(store.path_of(&sha256), b"other").unwrap();
        assert!(matches!(store.get(sha256).await, Err(ArtifactError::Corrupt { .. })));
    }

    #[tokio::test]
    async fn a_missing_artifact_says_so() {
        let (_folder, store) = store();
        assert!(matches!(store.get([7; 32]).await, Err(ArtifactError::Missing { .. })));
    }
}
