//! Artifacts in a local directory: `<root>/ab/abcdef…`, published by rename, never changed.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use super::ArtifactError;

/// A directory of artifacts; clones share it, and so may several processes.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Opens the directory, making it if it is missing.
    pub(super) fn open(root: &Path) -> Result<Self, ArtifactError> {
        std::fs::create_dir_all(root)
            .map_err(|source| ArtifactError::Io { path: root.to_owned(), source })?;
        Ok(Self { root: root.to_owned() })
    }

    /// Flushed to disk before this returns.
    pub(super) async fn put(&self, sha256: [u8; 32], binary: Vec<u8>) -> Result<(), ArtifactError> {
        let path = self.path_of(&sha256);
        run_blocking(move || {
            publish(&path, &binary).map_err(|source| ArtifactError::Io { path, source })
        })
        .await
    }

    /// Loads what lies under a hash.
    pub(super) async fn get(&self, sha256: [u8; 32]) -> Result<Vec<u8>, ArtifactError> {
        let path = self.path_of(&sha256);
        run_blocking(move || match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ArtifactError::Missing { sha256: hex::encode(sha256) })
            }
            read => read.map_err(|source| ArtifactError::Io { path, source }),
        })
        .await
    }

    /// Deletes what was put longer than `age` ago; False when it was put again since, or is gone.
    pub(super) async fn remove_older(
        &self,
        sha256: [u8; 32],
        age: Duration,
    ) -> Result<bool, ArtifactError> {
        let path = self.path_of(&sha256);
        run_blocking(move || match remove_older(&path, age) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map_err(|source| ArtifactError::Io { path, source }),
        })
        .await
    }

    fn path_of(&self, sha256: &[u8; 32]) -> PathBuf {
        let name = hex::encode(sha256);
        self.root.join(&name[..2]).join(&name)
    }
}

fn remove_older(path: &Path, age: Duration) -> io::Result<bool> {
    let put_at = std::fs::metadata(path)?.modified()?;
    // A time in the future is the trouble of a clock; nothing is lost by waiting.
    let is_older = put_at.elapsed().is_ok_and(|elapsed| elapsed >= age);
    if is_older {
        std::fs::remove_file(path)?;
    }
    Ok(is_older)
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
