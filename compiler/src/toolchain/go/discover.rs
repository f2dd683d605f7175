//! Finds an installed Go and says what of it a build has to see.

use std::{
    fmt, fs,
    path::{Component, Path, PathBuf},
};

use sandbox::{Access, Bind};

use super::layout::ROOT;

/// Generated code stands on its standard library, and on the order in which packages start since.
const OLDEST_MINOR: u16 = 21;

/// An installed Go that can build.
#[derive(Debug, Clone)]
pub(crate) struct GoToolchain {
    pub(crate) root: PathBuf,
    pub(crate) version: GoVersion,
}

/// Go 1.`minor`.`patch`; release candidates count as the release before which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GoVersion {
    pub(crate) minor: u16,
    pub(crate) patch: u16,
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "go1.{}.{}", self.minor, self.patch)
    }
}

/// The newest complete one.
pub(crate) fn discover(roots: &[PathBuf], unusable: &mut Vec<String>) -> Option<GoToolchain> {
    let mut found = Vec::new();
    for root in roots.iter().filter(|root| root.join("bin/go").exists()) {
        match inspect(root) {
            Ok(version) => found.push(GoToolchain { root: root.clone(), version }),
            Err(reason) => unusable.push(format!("Go at {} {reason}", root.display())),
        }
    }
    found.into_iter().max_by_key(|toolchain| toolchain.version)
}

fn inspect(root: &Path) -> Result<GoVersion, String> {
    for part in ["pkg/tool/linux_amd64/compile", "pkg/tool/linux_amd64/link", "src/runtime"] {
        if !root.join(part).exists() {
            return Err(format!("is not complete: {part} is missing"));
        }
    }
    let text = fs::read_to_string(root.join("VERSION"))
        .map_err(|error| format!("has no readable VERSION file: {error}"))?;
    let first = text.lines().next().unwrap_or_default();
    match parse_version(first) {
        Some(version) if version.minor >= OLDEST_MINOR => Ok(version),
        Some(GoVersion { minor, .. }) => {
            Err(format!("is go1.{minor}; 1.{OLDEST_MINOR} or newer is needed"))
        }
        None => Err(format!("has an unknown version: {first:?}")),
    }
}

/// `go1.27.3`, `go1.22`, `go1.28rc1`.
fn parse_version(text: &str) -> Option<GoVersion> {
    let mut parts = text.split_whitespace().next()?.strip_prefix("go1.")?.splitn(2, '.');
    let leading_digits = |part: &str| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().ok()
    };
    let minor = leading_digits(parts.next()?)?;
    let patch = parts.next().map_or(Some(0), leading_digits)?;
    Some(GoVersion { minor, patch })
}

impl GoToolchain {
    /// The root, and what a distribution keeps elsewhere behind links (`src -> ../../share/…`).
    pub(crate) fn binds(&self) -> Vec<Bind> {
        let read_only =
            |source: PathBuf, target: PathBuf| Bind { source, target, access: Access::ReadOnly };
        let mut binds = vec![read_only(self.root.clone(), ROOT.into())];
        for folder in [self.root.clone(), self.root.join("pkg")] {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            for link in entries.map(|entry| entry.path()) {
                let Ok(says) = fs::read_link(&link) else { continue };
                let Ok(real) = link.canonicalize() else { continue };
                let below_root = folder.strip_prefix(&self.root).unwrap_or(Path::new(""));
                let target = resolved(&Path::new(ROOT).join(below_root).join(says));
                if !target.starts_with(ROOT) {
                    binds.push(read_only(real, target));
                }
            }
        }
        binds
    }
}

/// Takes `..` away by its letters, as the kernel will inside the image, where no other link is.
fn resolved(path: &Path) -> PathBuf {
    let mut result = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => drop(result.pop()),
            Component::Normal(name) => result.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(root: &Path, version: &str) {
        for folder in ["bin", "pkg/tool/linux_amd64", "src/runtime"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["bin/go", "pkg/tool/linux_amd64/compile", "pkg/tool/linux_amd64/link"] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join("VERSION"), version).unwrap();
    }

    #[test]
    fn versions_are_read() {
        let version = |text| parse_version(text).map(|version| version.to_string());
        assert_eq!(version("go1.27.3"), Some("go1.27.3".into()));
        assert_eq!(version("go1.22"), Some("go1.22.0".into()));
        assert_eq!(version("go1.28rc1 X:foo"), Some("go1.28.0".into()));
        assert_eq!(version("devel +abc"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn the_newest_complete_one_is_taken_and_the_others_are_explained() {
        let home = tempfile::tempdir().unwrap();
        let root = |name: &str| home.path().join(name);
        install(&root("a"), "go1.19.7\n");
        install(&root("b"), "go1.22.1\ntime 2024\n");
        install(&root("c"), "go1.99.0");
        fs::remove_dir_all(root("c").join("src")).unwrap();
        let roots = ["a", "b", "c", "d"].map(root);
        let mut unusable = Vec::new();
        assert_eq!(discover(&roots, &mut unusable).unwrap().root, root("b"));
        let reasons = ["is go1.19; 1.21 or newer is needed", "src/runtime is missing"];
        assert_eq!(unusable.len(), reasons.len(), "{unusable:?}");
        for (found, reason) in unusable.iter().zip(reasons) {
            assert!(found.contains(reason), "{found}");
        }
    }

    #[test]
    fn what_lies_behind_links_is_bound_where_the_links_point() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let root = home.join("lib/go-1.22");
        install(&root, "go1.22.1");
        fs::create_dir_all(home.join("share")).unwrap();
        fs::rename(root.join("src"), home.join("share/go-src")).unwrap();
        std::os::unix::fs::symlink("../../share/go-src", root.join("src")).unwrap();
        let toolchain = discover(&[root], &mut Vec::new()).unwrap();
        let outside = toolchain.binds().pop().unwrap();
        assert_eq!(outside.source, home.join("share/go-src"));
        assert_eq!(outside.target, Path::new("/share/go-src"));
    }
}
