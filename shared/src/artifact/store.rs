//! The store as everybody uses it, whatever is behind.

use std::{path::Path, time::Duration};

use sha2::{Digest, Sha256};

use super::{ArtifactError, directory::Directory, s3::Bucket};
use crate::config::{ArtifactLocation, S3Settings};

/// Binaries by their hash; clones share the place, and so may several processes and machines.
#[derive(Debug, Clone)]
pub struct ArtifactStore(Place);

#[derive(Debug, Clone)]
enum Place {
    Directory(Directory),
    S3(Bucket),
}

impl ArtifactStore {
    /// Opens a directory of this machine, making it if it is missing.
    pub fn open(root: &Path) -> Result<Self, ArtifactError> {
        Directory::open(root).map(Place::Directory).map(Self)
    }

    /// Opens what is configured. A bucket is tried out at once by writing, reading and deleting an
    /// object: one that is wrong is refused here and not at the first build.
    pub async fn connect(
        location: &ArtifactLocation,
        settings: &S3Settings,
    ) -> Result<Self, ArtifactError> {
        match location {
            ArtifactLocation::Directory(root) => Self::open(root),
            ArtifactLocation::S3 { bucket, prefix } => {
                let bucket = Bucket::new(bucket, prefix, settings)?;
                bucket.try_out().await?;
                Ok(Self(Place::S3(bucket)))
            }
        }
    }

    /// Stores a binary under its hash, durable when this returns; putting the same bytes again
    /// changes nothing but the time at which they were put.
    pub async fn put(&self, binary: Vec<u8>) -> Result<[u8; 32], ArtifactError> {
        let (sha256, binary) = hashed(binary).await;
        match &self.0 {
            Place::Directory(directory) => directory.put(sha256, binary).await?,
            Place::S3(bucket) => bucket.put(sha256, &binary).await?,
        }
        Ok(sha256)
    }

    /// Loads a binary and checks that it is the one that was stored.
    pub async fn get(&self, sha256: [u8; 32]) -> Result<Vec<u8>, ArtifactError> {
        let binary = match &self.0 {
            Place::Directory(directory) => directory.get(sha256).await?,
            Place::S3(bucket) => bucket.get(sha256).await?,
        };
        let (found, binary) = hashed(binary).await;
        if found == sha256 {
            return Ok(binary);
        }
        Err(ArtifactError::Corrupt { sha256: hex::encode(sha256) })
    }

    /// Deletes a binary that was put longer than `age` ago; false when it was put again since, by a
    /// build that will refer to it, or is gone already.
    pub async fn remove_older(
        &self,
        sha256: [u8; 32],
        age: Duration,
    ) -> Result<bool, ArtifactError> {
        match &self.0 {
            Place::Directory(directory) => directory.remove_older(sha256, age).await,
            Place::S3(bucket) => bucket.remove_older(sha256, age).await,
        }
    }
}

/// Tens of megabytes take tens of milliseconds: too long for a thread that others wait for.
async fn hashed(binary: Vec<u8>) -> ([u8; 32], Vec<u8>) {
    let hashing = tokio::task::spawn_blocking(move || (Sha256::digest(&binary).into(), binary));
    match hashing.await {
        Ok(hashed) => hashed,
        // Hashing does not panic by itself; a panic goes on where it would have been.
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
        let (folder, store) = store();
        let sha256 = store.put(b"binary".to_vec()).await.unwrap();
        let name = hex::encode(sha256);
        let path = folder.path().join("artifacts").join(&name[..2]).join(&name);
        std::fs::write(path, b"other").unwrap();
        assert!(matches!(store.get(sha256).await, Err(ArtifactError::Corrupt { .. })));
    }

    #[tokio::test]
    async fn a_missing_artifact_says_so() {
        let (_folder, store) = store();
        assert!(matches!(store.get([7; 32]).await, Err(ArtifactError::Missing { .. })));
    }

    #[tokio::test]
    async fn only_what_is_old_is_removed() {
        let (_folder, store) = store();
        let sha256 = store.put(b"binary".to_vec()).await.unwrap();
        assert!(!store.remove_older(sha256, Duration::from_secs(60)).await.unwrap());
        assert!(store.get(sha256).await.is_ok());
        assert!(store.remove_older(sha256, Duration::ZERO).await.unwrap());
        assert!(!store.remove_older(sha256, Duration::ZERO).await.unwrap());
        assert!(matches!(store.get(sha256).await, Err(ArtifactError::Missing { .. })));
    }
}
