//! Reads from `Cargo.lock` what a build has to fetch.

use shared::domain::Diagnostic;

use crate::{
    dependencies::{Crate, Dependency, MAX_DEPENDENCIES},
    plan::Refusal,
};

/// How a lock names the one registry whose crates are taken, whatever mirror they come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The crates that a lock pins. Cargo writes locks, so only its own layout is read.
pub(super) fn crates(lock: &str) -> Result<Vec<Dependency>, Refusal> {
    let mut found = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let mut pairs = package.lines().filter_map(|line| line.split_once(" = "));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value.trim().trim_matches('"'))
        };
        // A path dependency, or the author's own crate.
        let Some(source) = value("source") else { continue };
        let name = value("name").unwrap_or_default();
        let refuse = |why: &str| {
            let name: String = name.chars().take(64).collect();
            Err(vec![Diagnostic::error(format!("crate '{name}' {why}")).at("Cargo.lock", 1, 1)])
        };
        if source != CRATES_IO {
            return refuse("does not come from crates.io: vendor it as a path dependency");
        }
        let pinned = pinned(name, value("version"), value("checksum"));
        let Some(pinned) = pinned else {
            return refuse("has no usable version and checksum: run `cargo generate-lockfile`");
        };
        found.push(Dependency::Crate(pinned));
        if found.len() > MAX_DEPENDENCIES {
            return refuse(&format!("is one of more than {MAX_DEPENDENCIES}"));
        }
    }
    found.sort();
    Ok(found)
}

/// Names become paths, so they must be plain.
fn pinned(name: &str, version: Option<&str>, checksum: Option<&str>) -> Option<Crate> {
    let (version, checksum) = (version?, checksum?);
    let in_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let in_version = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    let is_plain = (1..=64).contains(&name.len())
        && name.chars().all(in_name)
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(in_version);
    let mut sha256 = [0; 32];
    hex::decode_to_slice(checksum, &mut sha256).ok()?;
    is_plain.then(|| Crate { name: name.to_owned(), version: version.to_owned(), sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, source: &str, checksum: &str) -> String {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n\
             checksum = \"{checksum}\"\ndependencies = [\n \"x\",\n]\n\n"
        )
    }

    #[test]
    fn pinned_crates_are_found_and_own_ones_left_out() {
        let own = "version = 4\n\n[[package]]\nname = \"greet\"\nversion = \"0.1.0\"\n\n";
        let lock = own.to_owned() + &package("itoa", "1.0.1", CRATES_IO, &"ab".repeat(32));
        let expected = Crate { name: "itoa".into(), version: "1.0.1".into(), sha256: [0xab; 32] };
        assert_eq!(crates(&lock).unwrap(), [Dependency::Crate(expected)]);
        assert!(crates("").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_fetched_and_checked_is_refused() {
        let sum = "ab".repeat(32);
        for (lock, says) in [
            (package("a", "1.0.0", "git+https://x/y#z", &sum), "does not come from crates.io"),
            (package("a", "1.0.0", "registry+https://x", &sum), "does not come from crates.io"),
            (package("../a", "1.0.0", CRATES_IO, &sum), "no usable version"),
            (package("a", "../1", CRATES_IO, &sum), "no usable version"),
            (package("a", "1.0.0", CRATES_IO, "abc"), "no usable version"),
            (package("", "1.0.0", CRATES_IO, &sum), "no usable version"),
            (package("a", "1.0.0", CRATES_IO, &sum).repeat(1001), "more than 1000"),
        ] {
            assert!(crates(&lock).unwrap_err()[0].message.contains(says), "{says}");
        }
    }
}
