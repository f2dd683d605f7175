//! Moves the spawner into a root of its own that holds the image and nothing else.
//!
//! Order matters: host paths are opened first, mounted into a fresh tmpfs, the tmpfs becomes the
//! root, and the old root is let go. From then on no path leads back.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, makedev, mknodat},
    mount::{
        MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount,
        mount_change, mount_remount, move_mount, open_tree, unmount,
    },
    process::{chdir, pivot_root},
    thread::UnshareFlags,
};

use super::claim::RUNTIME_DIR;
use crate::{
    image::{Access, Bind, HOME_DIR, Image, Profile, TMP_DIR, WORK_DIR},
    sys,
};

/// Where the slot's disk is mounted while a build slot is made.
pub(crate) const SLOT_DIR: &str = "/slot";
/// Device nodes by name, major and minor number (Documentation/admin-guide/devices.txt).
const DEVICES: [(&str, u32, u32); 5] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9)];

/// Enters own mount, network, ipc and uts namespaces whose root is the sealed image.
pub(super) fn seal(image: &Image) -> io::Result<()> {
    sys::unshare(
        UnshareFlags::NEWNS | UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS,
    )?;
    // Nothing mounted from here on may reach the host, and nothing of the host may follow.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let sources = image.binds.iter().map(open_source).collect::<io::Result<Vec<_>>>()?;
    enter_fresh_root()?;
    add_devices()?;
    add_mount_points(image)?;
    for (bind, source) in image.binds.iter().zip(sources) {
        add_bind(bind, source)?;
    }
    for (path, content) in &image.files {
        add_file(&relative(path), content)?;
    }
    for (target, link) in &image.links {
        let link = relative(link);
        make_parents(&link)?;
        symlink(target, &link)?;
    }
    make_it_the_root()
}

fn add_file(path: &Path, content: &str) -> io::Result<()> {
    make_parents(path)?;
    fs::write(path, content)?;
    // Readable by everyone whatever the umask.
    fs::set_permissions(path, fs::Permissions::from_mode(0o444))
}

struct Source {
    mount: OwnedFd,
    is_directory: bool,
}

fn open_source(bind: &Bind) -> io::Result<Source> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", bind.source.display()))
    };
    let is_directory = fs::metadata(&bind.source).map_err(named)?.is_dir();
    // A detached copy without the mounts below it: what else is mounted there stays invisible.
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mount = open_tree(CWD, &bind.source, flags).map_err(|error| named(error.into()))?;
    Ok(Source { mount, is_directory })
}

fn enter_fresh_root() -> io::Result<()> {
    let place = Path::new(RUNTIME_DIR).join("root");
    DirBuilder::new().mode(0o700).recursive(true).create(&place)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", &place, "tmpfs", flags, c"size=1m,nr_inodes=4096,mode=755")?;
    Ok(chdir(&place)?)
}

/// On a mount of their own, the only one where device nodes work.
fn add_devices() -> io::Result<()> {
    make_directory(Path::new("dev"))?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("tmpfs", "dev", "tmpfs", flags, c"size=64k,nr_inodes=16,mode=755")?;
    let everyone = Mode::from_raw_mode(0o666);
    for (name, major, minor) in DEVICES {
        let path = Path::new("dev").join(name);
        mknodat(CWD, &path, FileType::CharacterDevice, everyone, makedev(major, minor))?;
        // The umask took bits away.
        rustix::fs::chmod(&path, everyone)?;
    }
    mount_remount("dev", flags | MountFlags::RDONLY, c"")?;
    Ok(())
}

/// Directories on which each slot mounts what is its own.
fn add_mount_points(image: &Image) -> io::Result<()> {
    let fixed: &[&str] = match image.profile {
        Profile::Function | Profile::Networked => &[TMP_DIR],
        Profile::Build => &[TMP_DIR, WORK_DIR, HOME_DIR, SLOT_DIR, "/proc"],
    };
    let overlays = image.overlays.iter().map(|overlay| overlay.target.as_path());
    fixed.iter().map(Path::new).chain(overlays).try_for_each(|path| make_directory(&relative(path)))
}

fn add_bind(bind: &Bind, source: Source) -> io::Result<()> {
    let target = relative(&bind.target);
    if source.is_directory {
        make_directory(&target)?;
    } else {
        make_parents(&target)?;
        File::create(&target)?;
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&source.mount, "", CWD, &target, flags)?;
    let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV;
    if bind.access == Access::ReadOnly {
        flags |= MountFlags::RDONLY;
    }
    mount_remount(&target, flags, c"")?;
    Ok(())
}

fn make_it_the_root() -> io::Result<()> {
    pivot_root(".", ".")?;
    // The old root lies on top of the new one now; letting it go leaves only ours.
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    mount_remount("/", MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, c"")?;
    Ok(())
}

fn relative(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_path_buf()
}

fn make_parents(path: &Path) -> io::Result<()> {
    path.parent().filter(|parent| *parent != Path::new("")).map_or(Ok(()), make_directory)
}

/// Readable by everyone whatever the umask; existing directories stay as they are.
fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o755).recursive(true).create(path)
}
