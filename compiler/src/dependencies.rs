//! What a source needs of other people's code, read from the files that pin it. Fetching is for the
//! caller: this room knows no network. What was fetched is checked again where it is used: crates by
//! their checksum here and in cargo, modules by go against `go.sum`, both inside the sandbox.

use std::collections::BTreeMap;

use sandbox::InputFile;
use sha2::{Digest, Sha256};

use crate::plan::file;

/// More in one source is a mistake or an attack; the largest programs have some hundreds.
pub(crate) const MAX_DEPENDENCIES: usize = 1000;

/// From where builds may get dependencies. Without a source only what is vendored, or offered by the
/// platform, can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetches {
    /// There is a Go module proxy.
    pub go_modules: bool,
    /// There is a crate registry.
    pub crates: bool,
}

/// One piece of other people's code in exactly one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// A file of a Go module proxy.
    GoModule(GoModule),
    /// A package of a crate registry.
    Crate(Crate),
}

/// A module's `go.mod`, or all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoModule {
    /// Import path, `golang.org/x/text`; safe as a relative path.
    pub path: String,
    /// `v1.2.3`, or a pseudo-version.
    pub version: String,
    /// The code itself, not only its `go.mod`.
    pub with_code: bool,
}

/// A crate, pinned by a `Cargo.lock`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name, of letters, digits, `-` and `_`.
    pub name: String,
    /// `1.2.3`.
    pub version: String,
    /// Of its archive.
    pub sha256: [u8; 32],
}

impl GoModule {
    /// Where a proxy keeps the file, relative to its root (<https://go.dev/ref/mod#goproxy-protocol>).
    pub fn proxy_path(&self) -> String {
        let kind = if self.with_code { "zip" } else { "mod" };
        format!("{}/@v/{}.{kind}", escaped(&self.path), escaped(&self.version))
    }
}

impl Crate {
    /// Where a registry's index keeps the crate's versions
    /// (<https://doc.rust-lang.org/cargo/reference/registry-index.html#index-files>).
    pub fn index_path(&self) -> String {
        let name = self.name.to_ascii_lowercase();
        match name.len() {
            1 => format!("1/{name}"),
            2 => format!("2/{name}"),
            3 => format!("3/{}/{name}", &name[..1]),
            _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
        }
    }

    /// The line about this version in the crate's index file, if it has the pinned checksum.
    pub fn index_line<'a>(&self, index: &'a str) -> Option<&'a str> {
        index.lines().find(|line| {
            let entry: Option<IndexEntry<'_>> = serde_json::from_str(line).ok();
            entry.is_some_and(|it| it.vers == self.version && it.cksum == hex::encode(self.sha256))
        })
    }

    /// Whether these bytes are the pinned archive.
    pub fn is(&self, archive: &[u8]) -> bool {
        Sha256::digest(archive).as_slice() == self.sha256
    }
}

/// What was fetched for one build, as the files that its own proxy and registry are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// By path below `/work`.
    files: BTreeMap<String, Vec<u8>>,
}

impl Fetched {
    /// A module's file, as the proxy gave it.
    pub fn add_module(&mut self, module: &GoModule, content: Vec<u8>) {
        self.files.insert(format!("{PROXY_DIR}/{}", module.proxy_path()), content);
    }

    /// A crate's archive, and what the registry's index says of it. All versions of a crate share one
    /// file of the index.
    pub fn add_crate(&mut self, wanted: &Crate, index_line: &str, archive: Vec<u8>) {
        let Crate { name, version, .. } = wanted;
        let index = format!("{REGISTRY_DIR}/index/{}", wanted.index_path());
        let lines = self.files.entry(index).or_default();
        lines.extend_from_slice(index_line.as_bytes());
        lines.push(b'\n');
        self.files.insert(format!("{REGISTRY_DIR}/{name}-{version}.crate"), archive);
    }

    /// Of all files together.
    pub fn total_bytes(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    pub(crate) fn into_files(self) -> impl Iterator<Item = InputFile> {
        self.files.into_iter().map(|(path, content)| file(path, content))
    }
}

/// A Go module proxy made of files, below `/work`.
pub(crate) const PROXY_DIR: &str = "proxy";
/// A cargo local registry, below `/work`.
pub(crate) const REGISTRY_DIR: &str = "registry";

#[derive(serde::Deserialize)]
struct IndexEntry<'a> {
    vers: &'a str,
    cksum: &'a str,
}

/// `!` and the small letter for each capital one: proxies may lie on systems that know no case.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_asked_for_as_proxies_keep_them() {
        let (path, version) = ("github.com/Azure/sdk".to_owned(), "v1.0.0-RC1".to_owned());
        let code = GoModule { path, version, with_code: true };
        assert_eq!(code.proxy_path(), "github.com/!azure/sdk/@v/v1.0.0-!r!c1.zip");
        let module = GoModule { with_code: false, ..code };
        assert!(module.proxy_path().ends_with(".mod"));
    }

    #[test]
    fn crates_are_looked_up_as_indexes_keep_them() {
        let named = |name: &str| {
            let name = name.to_owned();
            Crate { name, version: "1.0.0".into(), sha256: [1; 32] }.index_path()
        };
        assert_eq!(
            ["a", "ab", "abc", "Serde"].map(named),
            ["1/a", "2/ab", "3/a/abc", "se/rd/serde"]
        );
    }

    #[test]
    fn the_versions_of_a_crate_share_one_file_of_the_index() {
        let mut fetched = Fetched::default();
        for version in ["0.1.0", "0.2.0"] {
            let wanted = Crate { name: "abcd".into(), version: version.into(), sha256: [1; 32] };
            fetched.add_crate(&wanted, &format!("line of {version}"), version.into());
        }
        let files: Vec<_> = fetched.into_files().map(|file| (file.path, file.content)).collect();
        let expected = [
            ("registry/abcd-0.1.0.crate", "0.1.0"),
            ("registry/abcd-0.2.0.crate", "0.2.0"),
            ("registry/index/ab/cd/abcd", "line of 0.1.0\nline of 0.2.0\n"),
        ];
        assert_eq!(files, expected.map(|(path, text)| (path.to_owned(), text.into())));
    }

    #[test]
    fn only_the_line_with_the_pinned_checksum_counts() {
        let pinned = Crate { name: "a".into(), version: "1.0.1".into(), sha256: [0xab; 32] };
        let line = |version: &str, sum: &str| {
            format!("{{\"name\":\"a\",\"vers\":\"{version}\",\"cksum\":\"{sum}\"}}\n")
        };
        let (right, wrong) = ("ab".repeat(32), "cd".repeat(32));
        let index = [line("1.0.0", &right), line("1.0.1", &right)].concat();
        assert!(pinned.index_line(&index).unwrap().contains("1.0.1"));
        assert_eq!(pinned.index_line(&line("1.0.1", &wrong)), None);
        assert_eq!(pinned.index_line("no json\n"), None);
        assert!(!pinned.is(b"anything"));
    }
}
