//! The chapter `functions.build`: where builds get other people's code, if anywhere.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use super::values::Values;

/// A directory or a web address below which files are found by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Absolute.
    Directory(PathBuf),
    /// `http://` or `https://`.
    Url(String),
}

impl Location {
    /// The place of a file below this one. `path` is relative and plain: `a/b`, without `..`.
    pub fn join(&self, path: &str) -> Self {
        match self {
            Self::Directory(directory) => Self::Directory(directory.join(plain(path))),
            Self::Url(url) => Self::Url(format!("{}/{path}", url.trim_end_matches('/'))),
        }
    }

    /// What a file found here means by an address: a whole URL, or a path below this place. Only a
    /// directory may name directories.
    pub fn resolve(&self, address: &str) -> Self {
        match (self, address.split_once("://")) {
            (Self::Directory(_), Some(("file", path))) => Self::Directory(PathBuf::from(path)),
            (_, Some(("http" | "https", _))) => Self::Url(address.to_owned()),
            _ => self.join(address),
        }
    }
}

/// Without anything that leads out of the directory.
fn plain(path: &str) -> PathBuf {
    let parts = Path::new(path).components();
    parts.filter(|part| matches!(part, Component::Normal(_))).collect()
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "file://{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Where builds get other people's code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchSettings {
    /// A Go module proxy; none: modules must be vendored.
    pub go_proxy: Option<Location>,
    /// Module paths, and everything below them, that may be fetched; empty: all.
    pub go_allow: Vec<String>,
    /// A crate registry's sparse index; none: only the offered crates.
    pub cargo_registry: Option<Location>,
}

impl FetchSettings {
    pub(super) fn read(values: &mut Values) -> Self {
        let list = |text: &str| Ok::<_, &str>(words(text));
        Self {
            go_proxy: values.optional("functions.build.go_proxy", location),
            go_allow: values.optional("functions.build.go_allow", list).unwrap_or_default(),
            cargo_registry: values.optional("functions.build.cargo_registry", |text| {
                location(text.strip_prefix("sparse+").unwrap_or(text))
            }),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn location(text: &str) -> Result<Location, &'static str> {
    match text.split_once("://") {
        Some(("file", path)) if path.starts_with('/') => Ok(Location::Directory(path.into())),
        Some(("http" | "https", rest)) if !rest.is_empty() => Ok(Location::Url(text.to_owned())),
        _ => Err("must be https://address or file:///directory"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_below_a_place_and_never_above() {
        let directory = location("file:///srv/proxy").unwrap();
        assert_eq!(directory.join("a/@v/b.zip").to_string(), "file:///srv/proxy/a/@v/b.zip");
        assert_eq!(directory.join("../../etc/passwd").to_string(), "file:///srv/proxy/etc/passwd");
        let web = location("https://proxy.example/").unwrap();
        assert_eq!(web.join("a/b").to_string(), "https://proxy.example/a/b");
        for wrong in ["", "proxy.example", "file://relative", "ftp://x", "https://"] {
            assert!(location(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_directory_may_name_directories() {
        let (directory, web) =
            (Location::Directory("/srv".into()), Location::Url("https://a".into()));
        assert_eq!(directory.resolve("file:///crates/x").to_string(), "file:///crates/x");
        assert_eq!(directory.resolve("crates/x").to_string(), "file:///srv/crates/x");
        assert_eq!(web.resolve("https://b/x").to_string(), "https://b/x");
        assert_eq!(web.resolve("file:///etc/x"), Location::Url("https://a/file:///etc/x".into()));
    }
}
