//! Reads from `go.sum` what a build has to fetch. The hashes in it are go's to check.

use std::collections::BTreeSet;

use shared::domain::{Diagnostic, SourceBundle};

use crate::{
    dependencies::{Dependency, GoModule, MAX_DEPENDENCIES},
    plan::Refusal,
};

/// Modules that a source vendors are not fetched; without `go.sum` there is nothing that could be.
pub(super) fn needs(source: &SourceBundle) -> Result<Vec<Dependency>, Refusal> {
    let is_vendored = source.get("vendor/modules.txt").is_some();
    let Some(sums) = source.get("go.sum").filter(|_| !is_vendored) else { return Ok(Vec::new()) };
    let refuse = |line: usize, message: String| {
        let line = u32::try_from(line + 1).unwrap_or(u32::MAX);
        Err(vec![Diagnostic::error(message).at("go.sum", line, 1)])
    };
    let (mut needs, mut versions) = (BTreeSet::new(), BTreeSet::new());
    for (number, line) in String::from_utf8_lossy(sums).lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let Some(module) = read_line(line) else {
            return refuse(number, "is no line 'module version h1:…'".to_owned());
        };
        // Of most modules both files are named.
        versions.insert((module.path.clone(), module.version.clone()));
        needs.insert(Dependency::GoModule(module));
        if versions.len() > MAX_DEPENDENCIES {
            return refuse(number, format!("more than {MAX_DEPENDENCIES} modules"));
        }
    }
    Ok(needs.into_iter().collect())
}

/// `golang.org/x/text v0.3.0/go.mod h1:…`. Names become paths, so they must be plain.
fn read_line(line: &str) -> Option<GoModule> {
    let mut words = line.split_whitespace();
    let (path, version, _hash) = (words.next()?, words.next()?, words.next()?);
    let with_code = !version.ends_with("/go.mod");
    let version = version.strip_suffix("/go.mod").unwrap_or(version);
    let in_version = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    let in_path = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(in_path) && !part.chars().all(|c| c == '.')
    };
    let is_plain = path.split('/').all(plain)
        && version.starts_with('v')
        && version.chars().all(in_version)
        && !version.contains("..");
    is_plain.then(|| GoModule { path: path.to_owned(), version: version.to_owned(), with_code })
}

#[cfg(test)]
mod tests {
    use shared::domain::SourceLimits;

    use super::*;

    fn of(files: &[(&str, &str)]) -> Result<Vec<String>, Refusal> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        let limits = SourceLimits { files: 9, total_bytes: 1 << 20 };
        let needs = needs(&SourceBundle::from_files(files, limits).unwrap())?;
        let path = |need| match need {
            Dependency::GoModule(module) => module.proxy_path(),
            Dependency::Crate(_) => unreachable!("Go has no crates"),
        };
        Ok(needs.into_iter().map(path).collect())
    }

    const SUMS: &str = "rsc.io/quote v1.5.2 h1:w5f=\nrsc.io/quote v1.5.2/go.mod h1:LzX=\n\n";

    #[test]
    fn both_files_of_a_module_are_needed_once() {
        let expected = ["rsc.io/quote/@v/v1.5.2.mod", "rsc.io/quote/@v/v1.5.2.zip"];
        assert_eq!(of(&[("go.sum", &SUMS.repeat(2))]).unwrap(), expected);
    }

    #[test]
    fn what_is_vendored_is_not_fetched() {
        assert!(of(&[("go.sum", SUMS), ("vendor/modules.txt", "")]).unwrap().is_empty());
        assert!(of(&[("go.mod", "module a")]).unwrap().is_empty());
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for line in [
            "../../etc v1.0.0 h1:x",
            "a//b v1.0.0 h1:x",
            "/etc v1.0.0 h1:x",
            "a/.. v1.0.0 h1:x",
            "a v1.0.0/../../x h1:x",
            "a v1..0 h1:x",
            "a 1.0.0 h1:x",
            "a?b v1.0.0 h1:x",
            "a%2e v1.0.0 h1:x",
            "a v1.0.0",
        ] {
            let refused = of(&[("go.sum", &format!("\n{line}\n"))]).unwrap_err();
            assert_eq!((refused[0].file.as_deref(), refused[0].line), (Some("go.sum"), Some(2)));
        }
        let many = |count: usize| -> String {
            (0..count).map(|n| format!("a{n} v1.0.0 h1:x\na{n} v1.0.0/go.mod h1:x\n")).collect()
        };
        assert_eq!(of(&[("go.sum", &many(1000).repeat(2))]).unwrap().len(), 2000);
        let many = many(1001);
        assert!(of(&[("go.sum", &many)]).unwrap_err()[0].message.contains("more than 1000"));
    }
}
