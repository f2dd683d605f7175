//! Directories that are filled once and never change again: warm compiler caches.
//!
//! A directory appears under its name only when it is complete. Two processes that want the same one
//! wait for each other, and what a killed one left behind is swept away by the next. One that lost
//! files since (a power cut, a cleaner of old files) is made again.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::PrepareError;

/// Returns `<root>/<name>`, filled by `fill` if it was not there. `name` must say everything that
/// decides the content.
pub(crate) async fn publish(
    root: &Path,
    name: &str,
    fill: impl AsyncFnOnce(&Path) -> Result<(), PrepareError>,
) -> Result<PathBuf, PrepareError> {
    let complete = root.join(name);
    let shape_file = root.join(format!(".{name}.shape"));
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| PrepareError::Cache { path, source }
    };
    // Private: builds of strangers see these files through mounts only, and never write to them.
    DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(at(root))?;
    let _lock = lock(root.join(format!(".{name}.lock"))).await?;
    if is_whole(&complete, &shape_file) {
        return Ok(complete);
    }
    let staging = root.join(format!(".{name}.staging"));
    remove(&complete).map_err(at(&complete))?;
    remove(&staging).map_err(at(&staging))?;
    fs::create_dir(&staging).map_err(at(&staging))?;
    fill(&staging).await?;
    shape(&staging).and_then(|shape| fs::write(&shape_file, shape)).map_err(at(&shape_file))?;
    fs::rename(&staging, &complete).map_err(at(&complete))?;
    Ok(complete)
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn is_whole(directory: &Path, shape_file: &Path) -> bool {
    let found = shape(directory).ok();
    found.is_some() && found == fs::read(shape_file).ok()
}

/// A hash over the names and sizes of all files below: cheap to take, and different after any loss.
fn shape(directory: &Path) -> io::Result<Vec<u8>> {
    let mut files = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => folders.push(entry.path()),
                false => files.push((entry.path(), entry.metadata()?.len())),
            }
        }
    }
    files.sort();
    let mut hasher = Sha256::new();
    for (path, bytes) in files {
        let name = path.strip_prefix(directory).unwrap_or(&path);
        hasher.update(name.as_os_str().as_encoded_bytes());
        hasher.update([0]);
        hasher.update(bytes.to_be_bytes());
    }
    Ok(hasher.finalize().to_vec())
}

/// Held by a descriptor, so a killed process never leaves it locked.
async fn lock(path: PathBuf) -> Result<File, PrepareError> {
    let shown = path.clone();
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.lock().map(|()| file)
    });
    let locked = locked.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    locked.map_err(|source| PrepareError::Cache { path: shown, source })
}

/// What builds may do with the files of a directory once it is published.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// Read and execute.
    Read,
    /// The lower layer of a private overlay. Builds run as users of their own, so everything must
    /// look writable to anyone; what they write stays in their overlay.
    Overlay,
}

/// Sets the modes of a whole tree, which some other user of ours has filled, and calls `each_file`
/// on every file in it.
pub(crate) fn open_to_builds(
    path: &Path,
    usage: Use,
    each_file: &impl Fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?;
    if kind.is_symlink() {
        return Ok(());
    }
    let extra = match usage {
        Use::Read => 0o444,
        Use::Overlay => 0o666,
    };
    let search = if kind.is_dir() { 0o111 } else { 0 };
    let mode = kind.permissions().mode() & 0o777;
    fs::set_permissions(path, Permissions::from_mode(mode | extra | search))?;
    if !kind.is_dir() {
        return each_file(&File::open(path)?);
    }
    for entry in fs::read_dir(path)? {
        open_to_builds(&entry?.path(), usage, each_file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn two_at_once_fill_it_once() {
        let root = tempfile::tempdir().unwrap();
        let fills = AtomicUsize::new(0);
        let publish_one = || {
            publish(root.path(), "x", async |staging: &Path| {
                fills.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                fs::write(staging.join("file"), "content").unwrap();
                Ok(())
            })
        };
        let (first, second) = tokio::join!(publish_one(), publish_one());
        assert_eq!(first.unwrap(), second.unwrap());
        assert_eq!(fills.load(Ordering::SeqCst), 1);
        assert_eq!(fs::read_to_string(root.path().join("x/file")).unwrap(), "content");
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_swept_and_a_failure_publishes_nothing() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".x.staging")).unwrap();
        fs::write(root.path().join(".x.staging/half"), "").unwrap();
        let failed = publish(root.path(), "x", async |staging: &Path| {
            assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
            Err(PrepareError::HostLibrary { name: "libc.so.6" })
        });
        assert!(failed.await.is_err());
        assert!(!root.path().join("x").exists());
    }

    #[tokio::test]
    async fn a_directory_that_lost_a_file_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let publish_one = || {
            publish(root.path(), "x", async |staging: &Path| {
                fs::write(staging.join("file"), "content").unwrap();
                Ok(())
            })
        };
        let file = publish_one().await.unwrap().join("file");
        for damage in [|file: &Path| fs::remove_file(file), |file: &Path| fs::write(file, "")] {
            damage(&file).unwrap();
            publish_one().await.unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        }
    }

    #[test]
    fn an_overlay_tree_looks_writable_to_anyone() {
        let root = tempfile::tempdir().unwrap();
        let (dir, file) = (root.path().join("d"), root.path().join("d/f"));
        fs::create_dir(&dir).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o700)).unwrap();
        open_to_builds(root.path(), Use::Overlay, &|_| Ok(())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&file)), (0o777, 0o766));
    }
}
