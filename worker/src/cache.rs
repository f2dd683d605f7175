//! The worker's own copies of binaries: verified by hash once, on the way in, and then held as
//! sealed memory that nobody can write any more, not even this process.

use std::{
    collections::HashMap,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};
use shared::{
    artifact::{ArtifactError, ArtifactStore},
    metrics,
};

/// Why a binary could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The store.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The machine.
    #[error("failed to hold the binary in sealed memory")]
    Seal(#[source] io::Error),
}

impl CacheError {
    /// True when only another build brings the binary back.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Artifact(error) if error.is_lost())
    }
}

/// A bounded cache in front of the artifact store.
#[derive(Debug)]
pub struct BinaryCache {
    store: ArtifactStore,
    max_bytes: u64,
    held: Mutex<Held>,
    metrics: metrics::Worker,
}

#[derive(Debug, Default)]
struct Held {
    binaries: HashMap<[u8; 32], Binary>,
    bytes: u64,
    /// Grows with every use; the smallest one was used longest ago.
    clock: u64,
}

#[derive(Debug)]
struct Binary {
    descriptor: Arc<OwnedFd>,
    bytes: u64,
    used_at: u64,
}

impl BinaryCache {
    /// Holds at most `max_bytes`, but always one binary.
    pub fn new(store: ArtifactStore, max_bytes: u64, metrics: metrics::Worker) -> Self {
        Self { store, max_bytes, held: Mutex::default(), metrics }
    }

    /// A descriptor of exactly the bytes that have this hash.
    pub async fn get(&self, sha256: [u8; 32]) -> Result<Arc<OwnedFd>, CacheError> {
        let held = self.lock().touch(&sha256);
        self.metrics.asked_for_binary(held.is_some());
        if let Some(descriptor) = held {
            return Ok(descriptor);
        }
        let binary = self.store.get(sha256).await?;
        let descriptor = Arc::new(seal(&binary).map_err(CacheError::Seal)?);
        self.lock().insert(sha256, descriptor.clone(), binary.len() as u64, self.max_bytes);
        Ok(descriptor)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn touch(&mut self, sha256: &[u8; 32]) -> Option<Arc<OwnedFd>> {
        self.clock += 1;
        let binary = self.binaries.get_mut(sha256)?;
        binary.used_at = self.clock;
        Some(binary.descriptor.clone())
    }

    /// Makes room by letting go of what was used longest ago. A run that still uses a binary keeps
    /// its own descriptor.
    fn insert(&mut self, sha256: [u8; 32], descriptor: Arc<OwnedFd>, bytes: u64, max_bytes: u64) {
        self.clock += 1;
        let binary = Binary { descriptor, bytes, used_at: self.clock };
        if let Some(same) = self.binaries.insert(sha256, binary) {
            self.bytes -= same.bytes;
        }
        self.bytes += bytes;
        while self.bytes > max_bytes && self.binaries.len() > 1 {
            let oldest = self.binaries.iter().min_by_key(|(_, binary)| binary.used_at);
            let Some((&oldest, _)) = oldest else { return };
            if let Some(gone) = self.binaries.remove(&oldest) {
                self.bytes -= gone.bytes;
            }
        }
    }
}

fn seal(binary: &[u8]) -> io::Result<OwnedFd> {
    let descriptor =
        memfd_create("apprun-binary", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = std::fs::File::from(descriptor);
    file.write_all(binary)?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(file.as_fd(), FcntlArg::F_ADD_SEALS(seals))?;
    // Opened again for reading only: the run gets no descriptor that was ever writable.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    Ok(std::fs::File::open(path)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store_with(binaries: &[&[u8]]) -> (tempfile::TempDir, ArtifactStore, Vec<[u8; 32]>) {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(folder.path()).unwrap();
        let mut hashes = Vec::new();
        for binary in binaries {
            hashes.push(store.put(binary.to_vec()).await.unwrap());
        }
        (folder, store, hashes)
    }

    fn writable(descriptor: &OwnedFd) -> bool {
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(descriptor));
        let file = std::fs::OpenOptions::new().write(true).open(path);
        file.is_ok_and(|mut file| file.write_all(b"x").is_ok())
    }

    #[tokio::test]
    async fn a_held_binary_cannot_be_written_by_anybody() {
        let (_folder, store, hashes) = store_with(&[b"binary"]).await;
        let cache = BinaryCache::new(store, 1 << 20, metrics::Worker::default());
        let descriptor = cache.get(hashes[0]).await.unwrap();
        assert!(!writable(&descriptor));
    }

    #[tokio::test]
    async fn the_binary_used_longest_ago_makes_room() {
        let (_folder, store, hashes) = store_with(&[b"aaaa", b"bbbb", b"cccc"]).await;
        let cache = BinaryCache::new(store, 8, metrics::Worker::default());
        cache.get(hashes[0]).await.unwrap();
        cache.get(hashes[1]).await.unwrap();
        cache.get(hashes[0]).await.unwrap();
        cache.get(hashes[2]).await.unwrap();
        let held = cache.lock();
        assert!(held.binaries.contains_key(&hashes[0]) && held.binaries.contains_key(&hashes[2]));
        assert_eq!((held.binaries.len(), held.bytes), (2, 8));
    }
}
