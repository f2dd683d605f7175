//! Finds where this process may make groups: one root per cgroup hierarchy that matters.
//!
//! Parsing is pure. What is found is only a promise; the canary proves that the limits hold.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::home;

/// The interface of a hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A controller this room uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Pids,
    Cpu,
    /// Needed only where no v2 hierarchy tells the cpu time.
    CpuAcct,
}

const CONTROLLERS: [(Controller, &str); 4] = [
    (Controller::Memory, "memory"),
    (Controller::Pids, "pids"),
    (Controller::Cpu, "cpu"),
    (Controller::CpuAcct, "cpuacct"),
];

impl Controller {
    fn from_name(name: &str) -> Option<Controller> {
        CONTROLLERS.iter().find(|(_, known)| *known == name).map(|(controller, _)| *controller)
    }

    pub(super) fn name(self) -> &'static str {
        CONTROLLERS.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

/// One hierarchy and our place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) version: Version,
    pub(crate) controllers: Vec<Controller>,
    /// Where the hierarchy is mounted.
    pub(crate) mount_point: PathBuf,
    /// The directory of the group this process is in.
    pub(crate) own_group: PathBuf,
    /// The directory below which our groups are made.
    pub(crate) home: PathBuf,
}

/// Every hierarchy that matters; the v2 one, if any, comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) roots: Vec<Root>,
}

impl Layout {
    /// Looks at this process's mounts and groups, and makes room where that is needed.
    /// The processes of `worker` and its helpers may be moved.
    pub(crate) fn detect(worker: u32) -> io::Result<Layout> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let mut layout = Layout::parse(&mounts, &groups);
        for root in layout.roots.iter_mut().filter(|root| root.version == Version::V2) {
            // What is bound to v1 is missing there.
            root.controllers = controllers_of(&root.mount_point)?;
            root.home = home::prepare(root, worker)?;
            root.controllers = controllers_of(&root.home)?;
        }
        Ok(layout)
    }

    /// `mounts` is a mountinfo file, `groups` a /proc/<pid>/cgroup file (see proc(5), cgroups(7)).
    fn parse(mounts: &str, groups: &str) -> Layout {
        let mut roots: Vec<Root> = Vec::new();
        for mount in mounts.lines().filter_map(Mount::parse) {
            let Some(own_group) = own_group(&mount, groups) else { continue };
            if roots.iter().any(|root| root.own_group == own_group) {
                continue;
            }
            let controllers = mount.controllers();
            if mount.version == Version::V1 && controllers.is_empty() {
                continue;
            }
            let (version, mount_point) = (mount.version, mount.mount_point.into());
            let home = own_group.clone();
            roots.push(Root { version, controllers, mount_point, own_group, home });
        }
        roots.sort_by_key(|root| root.version == Version::V1);
        if roots.first().is_some_and(|root| root.version == Version::V2) {
            for root in &mut roots {
                root.controllers.retain(|controller| *controller != Controller::CpuAcct);
            }
            roots.retain(|root| root.version == Version::V2 || !root.controllers.is_empty());
        }
        Layout { roots }
    }
}

/// A v2 group lists what it may use.
fn controllers_of(group: &Path) -> io::Result<Vec<Controller>> {
    let names = fs::read_to_string(group.join("cgroup.controllers"))?;
    Ok(names.split_whitespace().filter_map(Controller::from_name).collect())
}

/// The fields of a mountinfo line that matter here.
struct Mount<'a> {
    version: Version,
    /// The group that appears as the top of this mount.
    root: &'a str,
    mount_point: &'a str,
    super_options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, mount_point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let version = match after.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        Some(Mount { version, root, mount_point, super_options: after.nth(1)? })
    }

    fn controllers(&self) -> Vec<Controller> {
        self.super_options.split(',').filter_map(Controller::from_name).collect()
    }
}

/// The directory of the group that `groups` names for the hierarchy of `mount`.
fn own_group(mount: &Mount<'_>, groups: &str) -> Option<PathBuf> {
    let path = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (names, path) = (fields.next()?, fields.next()?);
        let same = match mount.version {
            Version::V2 => names.is_empty(),
            Version::V1 => {
                let wanted = mount.controllers();
                !wanted.is_empty()
                    && names.split(',').filter_map(Controller::from_name).eq(wanted.iter().copied())
            }
        };
        same.then_some(path)
    })?;
    let below = Path::new(path).strip_prefix(mount.root).ok()?;
    let directory = Path::new(mount.mount_point).join(below);
    // Joining nothing leaves a slash at the end; collecting the parts does not.
    Some(directory.components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID_MOUNTS: &str = "\
25 1 0:22 / / rw - ext4 /dev/vda rw
30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
33 30 0:29 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
34 30 0:30 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
35 30 0:31 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
36 30 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const HYBRID_GROUPS: &str =
        "8:pids:/\n6:freezer:/\n4:memory:/a/b\n2:cpuacct:/\n1:cpu:/\n0::/\n";

    #[test]
    fn hybrid_takes_limits_from_v1_and_the_rest_from_v2() {
        let layout = Layout::parse(HYBRID_MOUNTS, HYBRID_GROUPS);

        let groups: Vec<_> =
            layout.roots.iter().map(|root| root.own_group.to_str().unwrap_or_default()).collect();
        assert_eq!(
            groups,
            [
                "/sys/fs/cgroup/unified",
                "/sys/fs/cgroup/cpu",
                "/sys/fs/cgroup/memory/a/b",
                "/sys/fs/cgroup/pids",
            ]
        );
    }

    #[test]
    fn pure_v1_counts_cpu_time_with_cpuacct() {
        let mounts: String =
            HYBRID_MOUNTS.lines().take(7).map(|line| format!("{line}\n")).collect();

        let layout = Layout::parse(&mounts, HYBRID_GROUPS);

        assert!(layout.roots.iter().any(|root| root.controllers.contains(&Controller::CpuAcct)));
        assert!(layout.roots.iter().all(|root| root.version == Version::V1));
    }

    #[test]
    fn pure_v2_has_one_root() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

        let layout = Layout::parse(mounts, "0::/system.slice/apprun.service\n");

        assert_eq!(layout.roots.len(), 1);
        let group = Path::new("/sys/fs/cgroup/system.slice/apprun.service");
        assert_eq!(layout.roots[0].own_group, group);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_fail(mounts: String, groups: String) {
            Layout::parse(&mounts, &groups);
        }

        #[test]
        fn no_line_of_fields_makes_the_parser_fail(
            fields in proptest::collection::vec("[-/a-z0-9:,]{0,9}", 0..14),
            groups in "([0-9]:[a-z,]{0,9}:/[a-z./]{0,9}\n){0,4}",
        ) {
            Layout::parse(&fields.join(" "), &groups);
        }
    }

    #[test]
    fn a_group_outside_the_mounted_part_is_not_ours_to_use() {
        let mounts = "30 25 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

        assert_eq!(Layout::parse(mounts, "0::/elsewhere\n").roots, []);
        let inside = Layout::parse(mounts, "0::/docker/1/x\n");
        assert_eq!(inside.roots[0].own_group, Path::new("/sys/fs/cgroup/x"));
    }
}
