//! The directory of everything `dev` keeps on this machine: made on first use, private, and locked
//! for as long as it is used.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use shared::{
    config::Secret,
    seal::{NoKeys, SecretKeys},
};

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("cannot write to the data directory {}", path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error("cannot use the keys in {}", path.display())]
    Keys { path: PathBuf, source: NoKeys },
    #[error("another apprun{holder} uses the data directory {}", path.display())]
    Locked { path: PathBuf, holder: String },
}

/// A data directory that no other apprun uses. The kernel gives the lock back when this process
/// ends in any way, so nothing has to be cleaned up after a kill.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory (0700) if needed and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let unwritable = |source| DataDirError::Unwritable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unwritable)?;
        let lock = open_private(&path.join("lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataDirError::Locked { path: path.to_owned(), holder: holder(&lock) });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        note_holder(&lock).map_err(unwritable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key that signs access tokens, made on first use and kept: a restart must not log anyone
    /// out.
    pub(crate) fn jwt_secret(&self) -> Result<Secret, DataDirError> {
        self.kept_secret("jwt-secret", || Secret::new(hex::encode(rand::random::<[u8; 32]>())))
    }

    /// The key that seals functions' secrets, made on first use and kept: without it they are lost.
    /// More keys may be written into its file, as into the setting.
    pub(crate) fn secret_keys(&self) -> Result<SecretKeys, DataDirError> {
        const NAME: &str = "secret-key";
        let text = self.kept_secret(NAME, || SecretKeys::text_of(rand::random()))?;
        let unusable = |source| DataDirError::Keys { path: self.path.join(NAME), source };
        text.expose().trim().parse().map_err(unusable)
    }

    fn kept_secret(&self, name: &str, make: impl Fn() -> Secret) -> Result<Secret, DataDirError> {
        let path = self.path.join(name);
        let read_or_make = || {
            let mut file = open_private(&path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            if text.is_empty() {
                text = make().expose().to_owned();
                file.write_all(text.as_bytes())?;
            }
            Ok(Secret::new(text))
        };
        read_or_make().map_err(|source| DataDirError::Unwritable { path: path.clone(), source })
    }
}

/// For reading and writing, made with mode 0600 if missing, contents kept.
fn open_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn note_holder(mut lock: &File) -> std::io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

/// ` (process 4711)`, if the holder has written its number yet.
fn holder(mut lock: &File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!(" (process {})", text.trim()),
        _ => String::new(),
    }
}
