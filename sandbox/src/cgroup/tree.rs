//! Makes and removes groups, by descriptor only: it must work after the host's files are gone.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, unlinkat},
    io::{Errno, write},
};

use crate::image::Profile;

use super::{
    knob::{Knob, TABLE},
    layout::{Controller, Layout, Version},
};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const GROUP_MODE: Mode = Mode::from_raw_mode(0o755);

/// This instance's groups: one directory per hierarchy, holding one directory per slot.
pub(crate) struct Tree {
    name: String,
    branches: Vec<Branch>,
}

struct Branch {
    version: Version,
    controllers: Vec<Controller>,
    parent: OwnedFd,
    directory: OwnedFd,
}

/// The groups of one slot, in every hierarchy.
pub(crate) struct Group {
    members: Vec<Member>,
}

struct Member {
    version: Version,
    controllers: Vec<Controller>,
    directory: OwnedFd,
}

impl Tree {
    /// Where `plant` will make directories, v2 first.
    pub(crate) fn paths(layout: &Layout, name: &str) -> Vec<PathBuf> {
        layout.roots.iter().map(|root| root.home.join(name)).collect()
    }

    /// Makes the instance's directory in every hierarchy.
    pub(crate) fn plant(layout: &Layout, name: &str, profile: Profile) -> io::Result<Tree> {
        let mut branches = Vec::new();
        for root in &layout.roots {
            let parent = openat(CWD, &root.home, DIRECTORY, Mode::empty())?;
            let directory = make_and_open(parent.as_fd(), name)?;
            if root.version == Version::V2 {
                enable(parent.as_fd(), &root.controllers)?;
                enable(directory.as_fd(), &root.controllers)?;
            }
            if profile == Profile::Build && root.controllers.contains(&Controller::Cpu) {
                step_back(directory.as_fd(), root.version)?;
            }
            let (version, controllers) = (root.version, root.controllers.clone());
            branches.push(Branch { version, controllers, parent, directory });
        }
        Ok(Tree { name: name.to_owned(), branches })
    }

    /// Makes the groups of one slot. Nothing is left behind on failure.
    pub(crate) fn create(&self, index: u32) -> io::Result<Group> {
        self.try_create(index).inspect_err(|_| {
            let _ = self.remove(index);
        })
    }

    fn try_create(&self, index: u32) -> io::Result<Group> {
        let name = index.to_string();
        let mut members = Vec::with_capacity(self.branches.len());
        for branch in &self.branches {
            let directory = make_and_open(branch.directory.as_fd(), &name)?;
            if branch.version == Version::V2 && branch.controllers.contains(&Controller::Memory) {
                // One process killed for memory takes the whole run with it: no half-dead trees.
                write_file(directory.as_fd(), "memory.oom.group", "1")?;
                // Absent where the kernel has no swap support, and then not needed.
                ignore_missing(write_file(directory.as_fd(), "memory.swap.max", "0"))?;
            }
            let (version, controllers) = (branch.version, branch.controllers.clone());
            members.push(Member { version, controllers, directory });
        }
        Ok(Group { members })
    }

    /// Removes the groups of one slot; those that are gone already do not count.
    pub(crate) fn remove(&self, index: u32) -> io::Result<()> {
        let name = index.to_string();
        self.branches.iter().try_for_each(|branch| rmdir(branch.directory.as_fd(), &name))
    }

    /// Removes the instance's own directories, which must be empty by now.
    pub(crate) fn uproot(self) -> io::Result<()> {
        self.branches.iter().try_for_each(|branch| rmdir(branch.parent.as_fd(), &self.name))
    }
}

impl Group {
    /// The directory a process can be born into.
    pub(crate) fn v2(&self) -> Option<BorrowedFd<'_>> {
        let member = self.members.iter().find(|member| member.version == Version::V2)?;
        Some(member.directory.as_fd())
    }

    /// Moves the calling process, which has one thread, into the v1 groups, which nobody can be born
    /// into. A thread that moves itself needs no lock over all processes of the machine; moving
    /// another process takes one, and waits for an RCU grace period for it (cgroup_attach_lock in
    /// kernel/cgroup/cgroup.c): milliseconds.
    pub(crate) fn enter_v1(&self) -> io::Result<()> {
        self.members
            .iter()
            .filter(|member| member.version == Version::V1)
            .try_for_each(|member| write_file(member.directory.as_fd(), "tasks", "0"))
    }

    /// Opens every control file that exists here.
    pub(crate) fn open_knobs(&self) -> io::Result<Vec<(Knob, OwnedFd)>> {
        let mut knobs = Vec::new();
        for member in &self.members {
            let rows = TABLE.iter().filter(|row| {
                row.version == member.version
                    && row.controller.is_none_or(|needed| member.controllers.contains(&needed))
            });
            for row in rows {
                let flags = row.access | OFlags::CLOEXEC;
                match openat(&member.directory, row.file, flags, Mode::empty()) {
                    Ok(file) => knobs.push((row.knob, file)),
                    // An older kernel; the canary decides whether we can do without.
                    Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(knobs)
    }
}

fn make_and_open(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    mkdirat(parent, name, GROUP_MODE)?;
    Ok(openat(parent, name, DIRECTORY, Mode::empty())?)
}

fn enable(directory: BorrowedFd<'_>, controllers: &[Controller]) -> io::Result<()> {
    controllers.iter().try_for_each(|controller| {
        write_file(directory, "cgroup.subtree_control", &format!("+{}", controller.name()))
    })
}

/// All builds together get a quarter of what all calls together get, where both want the processor. The
/// defaults, which calls keep, are 1024 and 100.
fn step_back(directory: BorrowedFd<'_>, version: Version) -> io::Result<()> {
    match version {
        Version::V1 => write_file(directory, "cpu.shares", "256"),
        Version::V2 => write_file(directory, "cpu.weight", "25"),
    }
}

fn write_file(directory: BorrowedFd<'_>, file: &str, value: &str) -> io::Result<()> {
    let file = openat(directory, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(file, value.as_bytes())?;
    Ok(())
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn rmdir(parent: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
