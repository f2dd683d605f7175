//! The offered crates as a registry would give them, for builds whose other crates come from one: cargo
//! takes all crates of a build from one place.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::{layout::ARCHIVES_DIR, lock, warm::CRATES_LOCK};
use crate::{
    PrepareError,
    dependencies::{Crate, Dependency, Fetched},
    warm::at,
};

/// What crates.io's index says of each, one line a crate. Their checksums are those of crates.io's own
/// archives, and not of ours.
pub(super) const INDEX: &str = include_str!("template/crates/index.jsonl");

/// The offered crates, each in its one version.
pub(super) fn crates() -> Vec<Crate> {
    // Our own lock: a test reads it.
    let pinned = lock::crates(CRATES_LOCK).unwrap_or_default().into_iter();
    pinned.filter_map(|it| if let Dependency::Crate(it) = it { Some(it) } else { None }).collect()
}

/// Makes the archives from the vendored sources: cargo keeps those that it downloaded at places of its
/// own, or has none.
pub(super) fn pack(vendor: &Path, directory: &Path) -> Result<(), PrepareError> {
    let archives = directory.join(ARCHIVES_DIR);
    fs::create_dir(&archives).map_err(at(&archives))?;
    for offered in crates() {
        let folder = format!("{}-{}", offered.name, offered.version);
        let archive = archive_of(directory, &offered);
        pack_one(&vendor.join(&folder), &folder, &archive).map_err(at(&archive))?;
    }
    Ok(())
}

fn pack_one(source: &Path, folder: &str, archive: &Path) -> io::Result<()> {
    let compressed = GzEncoder::new(File::create(archive)?, Compression::fast());
    let mut builder = tar::Builder::new(compressed);
    builder.mode(tar::HeaderMode::Deterministic);
    builder.append_dir_all(folder, source)?;
    builder.into_inner()?.finish().map(drop)
}

fn archive_of(cache: &Path, offered: &Crate) -> PathBuf {
    cache.join(ARCHIVES_DIR).join(format!("{}-{}.crate", offered.name, offered.version))
}

/// Puts them beside what was fetched.
pub(crate) async fn join(cache: &Path, fetched: &mut Fetched) -> io::Result<()> {
    for offered in crates() {
        let archive = tokio::fs::read(archive_of(cache, &offered)).await?;
        let line = index_line(&offered, &archive).ok_or(io::ErrorKind::InvalidData)?;
        fetched.add_crate(&offered, &line, archive);
    }
    Ok(())
}

fn index_line(offered: &Crate, archive: &[u8]) -> Option<String> {
    let ours = hex::encode(Sha256::digest(archive));
    let line = offered.index_line(INDEX)?;
    Some(line.replace(&hex::encode(offered.sha256), &ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_knows_every_offered_crate() {
        assert!(crates().len() > 9);
        for offered in crates() {
            let line = index_line(&offered, b"archive").unwrap_or_else(|| panic!("{offered:?}"));
            assert!(line.contains(&hex::encode(Sha256::digest(b"archive"))), "{line}");
            assert!(line.contains(&format!("\"name\":\"{}\"", offered.name)), "{line}");
        }
    }
}
