//! One instance's share of the host: a block of user ids and a name for its groups.
//!
//! A block belongs to whoever holds the lock on its file, so a dead instance gives it back by dying.
//! The file lists the group directories its owner made: the next start sweeps them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::cgroup::{Layout, Tree, sweep};

/// Where the lock files live. Root's alone.
pub(super) const RUNTIME_DIR: &str = "/run/apprun";
/// First user id ever used: 0x7000_0000 to 0x7fff_ffff is what systemd's table of user id ranges
/// (UIDS-GIDS.md) leaves unused.
const FIRST_UID: u32 = 0x7000_0000;
/// User ids per instance: most slots it can have.
pub(crate) const BLOCK_UIDS: u32 = 1024;
/// Most instances on one host.
const BLOCKS: u32 = 256;

/// A claimed block. Dropping it gives the block back.
pub(super) struct Claim {
    pub(super) first_uid: u32,
    /// Names this instance's groups.
    pub(super) name: String,
    file: File,
}

impl Claim {
    /// Takes the first free block, after sweeping what dead owners left in any.
    pub(super) fn take() -> io::Result<Claim> {
        DirBuilder::new().mode(0o700).recursive(true).create(RUNTIME_DIR)?;
        let mut claimed = None;
        for block in 0..BLOCKS {
            let path = Path::new(RUNTIME_DIR).join(format!("block-{block}"));
            if claimed.is_some() && !path.exists() {
                break;
            }
            let Some(mut file) = lock(&path)? else { continue };
            sweep_listed(&mut file)?;
            if claimed.is_none() {
                let (first_uid, name) = (FIRST_UID + block * BLOCK_UIDS, format!("apprun-{block}"));
                claimed = Some(Claim { first_uid, name, file });
            }
        }
        claimed.ok_or_else(|| io::Error::new(io::ErrorKind::StorageFull, "every block is in use"))
    }

    /// Notes where the groups will be, before they are.
    pub(super) fn list_groups(&mut self, layout: &Layout) -> io::Result<()> {
        self.file.rewind()?;
        for path in Tree::paths(layout, &self.name) {
            writeln!(self.file, "{}", path.display())?;
        }
        Ok(())
    }
}

/// None when a living instance holds it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn sweep_listed(file: &mut File) -> io::Result<()> {
    let mut groups = String::new();
    file.read_to_string(&mut groups)?;
    // The v2 group comes first: it can kill the rest of the tree at once.
    groups.lines().map(Path::new).filter(|group| is_ours(group)).try_for_each(sweep)?;
    file.set_len(0)
}

/// A torn line must never name somebody else's group.
fn is_ours(group: &Path) -> bool {
    let named = |name: &str| name.strip_prefix("apprun-").is_some_and(|n| n.parse::<u32>().is_ok());
    group.file_name().and_then(|name| name.to_str()).is_some_and(named)
        && fs::metadata(group).is_ok_and(|meta| meta.is_dir())
}
