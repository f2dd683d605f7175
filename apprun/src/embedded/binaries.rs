//! Finds the PostgreSQL programs: the configured directory, `PATH`, the newest of the
//! distribution's, and as a last resort a download.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use super::{EmbeddedError, fetch};

/// The oldest release whose SQL we rely on.
const OLDEST_MAJOR: u32 = 15;
/// Where Debian and Ubuntu put one directory per major version.
const DISTRIBUTION_DIR: &str = "/usr/lib/postgresql";

/// A directory with `initdb` and `postgres` of one version.
#[derive(Debug, Clone)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

impl Binaries {
    /// The programs to use for a data directory of version `wanted_major`, or for a new one.
    ///
    /// `fetch_dir` receives a download if nothing is installed.
    pub(super) async fn find(
        configured: Option<&Path>,
        wanted_major: Option<u32>,
        fetch_dir: &Path,
    ) -> Result<Self, EmbeddedError> {
        if let Some(dir) = configured {
            let missing = || EmbeddedError::NoServerThere(dir.to_owned());
            return Self::look_into(dir).ok_or_else(missing)?.check_age();
        }
        let installed = installed();
        let matching = installed.iter().find(|found| Some(found.major) == wanted_major);
        if let Some(chosen) = matching.or(installed.first()) {
            return Ok(chosen.clone());
        }
        let dir = fetch::fetch(fetch_dir).await?;
        Self::look_into(&dir).ok_or(EmbeddedError::NoServerThere(dir))
    }

    /// Both programs must be there, and `postgres` must be able to say its version.
    fn look_into(dir: &Path) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = parse_major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { dir: dir.to_owned(), major })
    }

    fn check_age(self) -> Result<Self, EmbeddedError> {
        if self.major < OLDEST_MAJOR {
            return Err(EmbeddedError::TooOld { dir: self.dir, major: self.major });
        }
        Ok(self)
    }
}

/// Everything usable on this machine, in order of preference.
fn installed() -> Vec<Binaries> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    on_path
        .iter()
        .cloned()
        .chain(of_distribution())
        .filter_map(|dir| Binaries::look_into(&dir))
        .filter(|found| found.major >= OLDEST_MAJOR)
        .collect()
}

/// The distribution's directories, newest version first.
fn of_distribution() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DISTRIBUTION_DIR)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15; `17beta2` is 17.
fn parse_major(version_line: &str) -> Option<u32> {
    let version = version_line.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn a_version_line_gives_its_major_number() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 19beta2\n"), Some(19));
        assert_eq!(parse_major("bash 5.2\n"), None);
    }
}
