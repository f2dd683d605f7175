//! Reads from `Cargo.lock` what a build has to fetch.

use shared::domain::Diagnostic;

use crate::{
    dependencies::{Crate, Dependency, MAX_DEPENDENCIES},
    plan::Refusal,
};

/// How a lock names the one registry whose crates are taken, whatever mirror they come from.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Begins what a lock says of a package.
const PACKAGE: &str = "[[package]]";

/// The crates that a lock pins. Cargo writes locks, so only its own layout is read.
pub(super) fn crates(lock: &str) -> Result<Vec<Dependency>, Refusal> {
    let mut found = Vec::new();
    for package in lock.split(PACKAGE).skip(1) {
        let value = |key| value(package, key);
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

fn value<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    let mut pairs = package.lines().filter_map(|line| line.split_once(" = "));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value.trim().trim_matches('"'))
}

/// The lock without the pins that `offered` crates can take the place of: the same and older versions
/// that are compatible. Cargo then finds those and pins them instead.
pub(super) fn without_replaced(lock: &str, offered: &[Crate]) -> String {
    let is_replaced = |package: &&str| {
        let (name, version) = (value(package, "name"), value(package, "version"));
        let mut named = offered.iter().filter(|it| name == Some(it.name.as_str()));
        value(package, "source").is_some()
            && named.any(|it| version.is_some_and(|version| replaces(&it.version, version)))
    };
    let mut parts = lock.split(PACKAGE);
    let head = parts.next().unwrap_or_default();
    let kept: Vec<_> =
        [head].into_iter().chain(parts.filter(|package| !is_replaced(package))).collect();
    kept.join(PACKAGE)
}

/// Whether whoever asked for `pinned` can be given `offered`, as cargo compares versions.
fn replaces(offered: &str, pinned: &str) -> bool {
    let compatible = |[major, minor, patch]: [u64; 3]| match (major, minor) {
        (0, 0) => [0, 0, patch],
        (0, _) => [0, minor, 0],
        _ => [major, 0, 0],
    };
    let (Some(offered), Some(pinned)) = (numbers(offered), numbers(pinned)) else { return false };
    pinned <= offered && compatible(pinned) == compatible(offered)
}

/// None for a version that is not released.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let numbers = version.split('+').next()?.split('.').map(|number| number.parse().ok());
    numbers.collect::<Option<Vec<_>>>()?.try_into().ok()
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
    fn compatible_older_pins_make_way_for_what_is_offered() {
        let sum = "ab".repeat(32);
        let offered = [Crate { name: "a".into(), version: "1.2.3".into(), sha256: [0; 32] }];
        let own = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n";
        let of = |name, version| package(name, version, CRATES_IO, &sum);
        for version in ["1.2.3", "1.2.2", "1.0.99+x"] {
            let lock = [own, &of("a", version), &of("b", "1.0.0")].concat();
            let expected = own.to_owned() + &of("b", "1.0.0");
            assert_eq!(without_replaced(&lock, &offered), expected, "{version}");
        }
        for version in ["1.2.4", "1.3.0", "2.0.0", "0.9.0", "1.0.0-rc.1"] {
            let lock = own.to_owned() + &of("a", version);
            assert_eq!(without_replaced(&lock, &offered), lock);
        }
        assert!(replaces("0.1.20", "0.1.9") && !replaces("0.2.0", "0.1.9"));
        assert!(!replaces("0.0.2", "0.0.1"));
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
