//! Where toolchains are looked for. Read from the environment once, by the caller's wish.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Configured and usual places. A configured root is the only one that is looked at.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The directory that holds `bin/go`.
    pub go_root: Option<PathBuf>,
    /// The directory that holds `bin/rustc` and `bin/cargo`.
    pub rust_root: Option<PathBuf>,
    /// Directories of executables, as in `PATH`.
    pub path: Vec<PathBuf>,
    /// Where rustup keeps its toolchains.
    pub rustup_home: Option<PathBuf>,
    /// Where apprun keeps its own: `<data_home>/apprun/toolchains/go`.
    pub data_home: Option<PathBuf>,
    /// Where a distribution and the upstream archive put Go: `/usr/local/go`, `/usr/lib/go-1.22`.
    pub system: Option<PathBuf>,
}

impl Places {
    /// The usual places of this machine and user.
    pub fn from_environment() -> Self {
        let home = env::var_os("HOME").map(PathBuf::from);
        let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let variable = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        Self {
            go_root: None,
            rust_root: None,
            path: env::var_os("PATH")
                .map(|path| env::split_paths(&path).collect())
                .unwrap_or_default(),
            rustup_home: variable("RUSTUP_HOME").or_else(|| below_home(".rustup")),
            data_home: variable("XDG_DATA_HOME").or_else(|| below_home(".local/share")),
            system: Some(PathBuf::from("/usr")),
        }
    }

    /// Roots that may hold Go, each once.
    pub(crate) fn go_roots(&self) -> Vec<PathBuf> {
        if let Some(root) = &self.go_root {
            return vec![root.clone()];
        }
        let mut roots = self.roots_on_path("go");
        roots.extend(self.data_home.iter().map(|home| home.join("apprun/toolchains/go")));
        if let Some(system) = &self.system {
            roots.push(system.join("local/go"));
            roots.extend(children(&system.join("lib")).filter(|root| starts_with(root, "go-")));
        }
        each_once(roots)
    }

    /// Roots that may hold stable Rust, each once. Toolchains on the nightly and beta channels can
    /// only be configured.
    pub(crate) fn rust_roots(&self) -> Vec<PathBuf> {
        if let Some(root) = &self.rust_root {
            return vec![root.clone()];
        }
        let toolchains =
            self.rustup_home.iter().flat_map(|home| children(&home.join("toolchains")));
        let stable = |root: &PathBuf| !starts_with(root, "nightly") && !starts_with(root, "beta");
        let mut roots: Vec<_> = toolchains.filter(stable).collect();
        roots.extend(self.roots_on_path("rustc"));
        each_once(roots)
    }

    /// `<root>/bin/<program>` for every place on the path, links followed. A rustup shim is a link
    /// to, or a copy of, rustup and has no toolchain around it.
    fn roots_on_path(&self, program: &str) -> Vec<PathBuf> {
        let real = |dir: &PathBuf| dir.join(program).canonicalize().ok();
        let root = |file: PathBuf| file.parent().and_then(Path::parent).map(Path::to_owned);
        self.path.iter().filter_map(real).filter_map(root).collect()
    }
}

fn children(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter()
}

fn starts_with(path: &Path, prefix: &str) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

fn each_once(roots: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = Vec::new();
    for root in roots.iter().filter_map(|root| root.canonicalize().ok()) {
        if !seen.contains(&root) {
            seen.push(root);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn machine() -> (tempfile::TempDir, Places) {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        for folder in [
            "rustup/toolchains/stable-x86_64",
            "rustup/toolchains/nightly-x86_64",
            "share/apprun/toolchains/go",
            "usr/local/go/bin",
            "usr/lib/go-1.22",
            "usr/lib/gopher",
            "bin",
        ] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("usr/local/go/bin/go"), "").unwrap();
        symlink(at("usr/local/go/bin/go"), at("bin/go")).unwrap();
        let places = Places {
            path: vec![at("bin"), at("missing")],
            rustup_home: Some(at("rustup")),
            data_home: Some(at("share")),
            system: Some(at("usr")),
            ..Places::default()
        };
        (home, places)
    }

    fn names(home: &Path, roots: Vec<PathBuf>) -> Vec<String> {
        let home = home.canonicalize().unwrap();
        roots.iter().map(|root| root.strip_prefix(&home).unwrap().display().to_string()).collect()
    }

    #[test]
    fn every_usual_place_is_looked_at_once() {
        let (home, places) = machine();
        let go = ["usr/local/go", "share/apprun/toolchains/go", "usr/lib/go-1.22"];
        assert_eq!(names(home.path(), places.go_roots()), go);
        assert_eq!(names(home.path(), places.rust_roots()), ["rustup/toolchains/stable-x86_64"]);
    }

    #[test]
    fn a_configured_root_is_the_only_one() {
        let (_home, mut places) = machine();
        places.go_root = Some("/opt/go".into());
        places.rust_root = Some("/opt/rust".into());
        assert_eq!(places.go_roots(), [Path::new("/opt/go")]);
        assert_eq!(places.rust_roots(), [Path::new("/opt/rust")]);
    }
}
