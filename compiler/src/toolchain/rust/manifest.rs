//! The two manifests of a Rust build: the author's crate, where none came with the source, and the
//! crate with the generated `main`.

use std::collections::BTreeSet;

use crate::dependencies::REGISTRY_DIR;

use super::{
    layout::{SERVE, VENDOR},
    plan::MAIN_FILE,
};

/// Crates a source without a manifest may use. The same set with the same features as the generated
/// main's, or the compiled ones would not be found again.
const DEPENDENCIES: &str = "\
[dependencies]
serde = { version = \"1\", features = [\"derive\"] }
serde_json = \"1\"
";

/// The crate root of a program, where nothing else is said.
const MAIN: &str = "src/main.rs";

/// What an author may say of how a handler is compiled. Not `panic`: the generated main tells of them.
const PROFILE_KEYS: [&str; 5] =
    ["opt-level", "lto", "codegen-units", "overflow-checks", "debug-assertions"];

/// The crate name of a source without a manifest.
pub(super) const DEFAULT_NAME: &str = "function";

/// A manifest for a single-crate source; `kind` is `lib` or `[bin]`.
pub(super) fn for_source(name: &str, kind: &str, entry: &str) -> String {
    format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         autobins = false\n\n[{kind}]\nname = {name:?}\npath = {entry:?}\n\n{DEPENDENCIES}"
    )
}

/// The manifest of the generated main; whatever the author's crate is called, it is `function` there.
/// Cargo reads profiles from this one alone, so the author's comes along.
pub(super) fn for_main(name: &str, author_crate: &str, profile: &str) -> String {
    format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [[bin]]\nname = {name:?}\npath = {MAIN_FILE:?}\n\n\
         [dependencies]\napprun_serve = {{ path = {SERVE:?} }}\n\
         function = {{ path = \"../source\", package = {author_crate:?} }}\n\n[workspace]\n{profile}"
    )
}

/// Crates are taken from the offered ones alone: no registry and no network is behind a build.
pub(super) fn cargo_config() -> String {
    source_config(&format!("directory = {VENDOR:?}"))
}

/// Crates are taken from what was fetched for this build alone.
pub(super) fn fetched_config() -> String {
    source_config(&format!("local-registry = \"/work/{REGISTRY_DIR}\""))
}

fn source_config(place: &str) -> String {
    format!("[source.crates-io]\nreplace-with = \"given\"\n\n[source.given]\n{place}\n")
}

/// What a manifest says of its package and targets, in the usual spellings; cargo itself judges the
/// rest.
pub(super) struct Manifest {
    /// `[package] name`.
    pub(super) package: String,
    /// The library's crate root.
    pub(super) library: String,
    /// `[[bin]]`, each with its name and, where given, its crate root.
    programs: Vec<(String, Option<String>)>,
    /// Whether programs are also found by where their files lie.
    finds_programs: bool,
    /// `[package] default-run`.
    default_run: Option<String>,
    /// What of `[profile.release]` a generated main takes over, as a table.
    pub(super) profile: String,
}

impl Manifest {
    /// None without the name of a package.
    pub(super) fn read(text: &str) -> Option<Self> {
        let tables = tables(text);
        let of = |header: &str, key: &str| {
            tables.iter().filter(|it| it.header == header).find_map(|it| it.value(key))
        };
        let text = |header: &str, key: &str| of(header, key).and_then(quoted);
        let programs = tables.iter().filter(|it| it.header == "[[bin]]");
        let program = |it: &Table<'_>| {
            let path = it.value("path").and_then(quoted);
            Some((it.value("name").and_then(quoted)?, path.map(plain)))
        };
        Some(Self {
            package: text("[package]", "name").or_else(|| text("", "package.name"))?,
            library: text("[lib]", "path").map_or_else(|| "src/lib.rs".to_owned(), plain),
            programs: programs.filter_map(program).collect(),
            finds_programs: of("[package]", "autobins").is_none_or(|it| !it.starts_with("false")),
            default_run: text("[package]", "default-run"),
            profile: profile(&tables),
        })
    }

    /// Every program with its crate root, as cargo finds them among all files of the source.
    pub(super) fn programs(&self, files: &BTreeSet<&str>) -> Vec<(String, String)> {
        let root = |(name, path): &(String, Option<String>)| {
            let usual = [
                (*name == self.package).then(|| MAIN.to_owned()),
                Some(format!("src/bin/{name}.rs")),
                Some(format!("src/bin/{name}/main.rs")),
            ];
            let found = usual.into_iter().flatten().find(|path| files.contains(path.as_str()));
            Some((name.clone(), path.clone().or(found)?))
        };
        let mut programs: Vec<_> = self.programs.iter().filter_map(root).collect();
        let known: BTreeSet<_> =
            programs.iter().flat_map(|(name, root)| [name.clone(), root.clone()]).collect();
        let found = files.iter().filter(|_| self.finds_programs);
        let found = found.filter_map(|path| Some((self.program_at(path)?, (*path).to_owned())));
        programs
            .extend(found.filter(|(name, root)| !known.contains(name) && !known.contains(root)));
        programs
    }

    /// The name of the program whose crate root lies there, if cargo looks there.
    fn program_at(&self, path: &str) -> Option<String> {
        if path == MAIN {
            return Some(self.package.clone());
        }
        let file = path.strip_prefix("src/bin/")?;
        let name = file.strip_suffix("/main.rs").or_else(|| file.strip_suffix(".rs"))?;
        (!name.contains('/')).then(|| name.to_owned())
    }

    /// The program that `cargo run` would start: the one that is named so, or the only one.
    pub(super) fn program(&self, files: &BTreeSet<&str>) -> Option<(String, String)> {
        let mut programs = self.programs(files);
        let wanted = self.default_run.as_ref();
        match programs.iter().position(|(name, _)| Some(name) == wanted) {
            Some(place) => Some(programs.swap_remove(place)),
            None => programs.pop().filter(|_| programs.is_empty()),
        }
    }
}

fn profile(tables: &[Table<'_>]) -> String {
    let release = tables.iter().filter(|it| it.header == "[profile.release]");
    let values = release.flat_map(|it| &it.values);
    let kept = values.filter_map(|(key, value)| {
        let value = value.split('#').next().unwrap_or_default().trim();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '"' | '\'' | '-');
        let is_kept = PROFILE_KEYS.contains(&key.as_str()) && value.chars().all(is_plain);
        is_kept.then(|| format!("{key} = {value}\n"))
    });
    let kept: String = kept.collect();
    if kept.is_empty() { kept } else { format!("\n[profile.release]\n{kept}") }
}

/// `./src/lib.rs` is `src/lib.rs`.
fn plain(path: String) -> String {
    path.split('/').filter(|part| *part != ".").collect::<Vec<_>>().join("/")
}

/// A header and the lines `key = value` below it, up to the next header.
#[derive(Default)]
struct Table<'a> {
    header: String,
    values: Vec<(String, &'a str)>,
}

impl<'a> Table<'a> {
    fn value(&self, key: &str) -> Option<&'a str> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }
}

fn tables(manifest: &str) -> Vec<Table<'_>> {
    let mut tables = vec![Table::default()];
    for line in manifest.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if line.starts_with('[') {
            let header = line.split('#').next().unwrap_or_default();
            let header = header.split_whitespace().collect();
            tables.push(Table { header, values: Vec::new() });
        } else if let (Some((key, value)), Some(table)) = (line.split_once('='), tables.last_mut())
        {
            table.values.push((key.split_whitespace().collect(), value.trim()));
        }
    }
    tables
}

fn quoted(value: &str) -> Option<String> {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (name, _) = value[1..].split_once(quote)?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    (!name.is_empty() && name.chars().all(is_name)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_name_is_found() {
        let cases = [
            ("[package]\nname = \"greet-all\" # x\n", Some("greet-all")),
            ("[ package ] # x\nversion=\"1\"\nname='greet'\n", Some("greet")),
            ("package.name = \"greet\"\n", Some("greet")),
            ("\u{feff}[package]\nname = \"greet\"\n", Some("greet")),
            ("[[bin]]\nname = \"other\"\n[package]\nname = \"greet\"", Some("greet")),
            ("[workspace]\nname = \"x\"", None),
            ("[package]\nname = \"a\\\"b\"", None),
            ("", None),
        ];
        for (manifest, expected) in cases {
            let found = Manifest::read(manifest).map(|manifest| manifest.package);
            assert_eq!(found.as_deref(), expected, "{manifest}");
        }
    }

    #[test]
    fn a_large_manifest_is_read_once_whatever_is_in_it() {
        let programs = "[[bin]]\nname='a'\n".repeat(1 << 16);
        let header = format!("[{}]\n{}", "a".repeat(1 << 19), "a=1\n".repeat(1 << 17));
        for rest in [programs, header] {
            let manifest = Manifest::read(&format!("[package]\nname = \"shop\"\n{rest}"));
            assert_eq!(manifest.unwrap().package, "shop");
        }
    }

    #[test]
    fn the_release_profile_is_taken_over_as_far_as_it_may() {
        let profile = |rest: &str| {
            let text = format!("[package]\nname = \"shop\"\n{rest}");
            Manifest::read(&text).unwrap().profile
        };
        let release = "[profile.dev]\nlto = true\n[ profile.release ]\nopt-level = \"z\" # small\n\
                       panic = \"abort\"\nlto=true\ncodegen-units = [\n";
        assert_eq!(profile(release), "\n[profile.release]\nopt-level = \"z\"\nlto = true\n");
        assert_eq!(profile("[profile.release]\nstrip = false\n"), "");
        assert!(for_main("m", "shop", &profile(release)).ends_with("lto = true\n"));
    }

    #[test]
    fn the_program_is_the_one_that_cargo_run_would_start() {
        let main = "src/main.rs";
        let bin = |name: &str, more: &str| format!("[[bin]]\nname = \"{name}\"\n{more}\n");
        let cases = [
            (String::new(), vec![main], Some(("shop", main))),
            (String::new(), vec![], None),
            (bin("price", "path = \"src/main.rs\""), vec![main], Some(("price", main))),
            (bin("price", "path = \"price.rs\""), vec!["price.rs"], Some(("price", "price.rs"))),
            (bin("price", ""), vec!["src/bin/price.rs"], Some(("price", "src/bin/price.rs"))),
            (bin("price", "path = \"price.rs\""), vec!["price.rs", main], None),
            (
                format!("default-run = \"price\"\n{}", bin("price", "path = \"price.rs\"")),
                vec!["price.rs", main],
                Some(("price", "price.rs")),
            ),
            (bin("price", "path = \"./src/./main.rs\""), vec![main], Some(("price", main))),
            (String::new(), vec!["src/bin/a.rs"], Some(("a", "src/bin/a.rs"))),
            (
                String::new(),
                vec!["src/bin/a/main.rs", "src/bin/a/b.rs"],
                Some(("a", "src/bin/a/main.rs")),
            ),
            (String::new(), vec!["src/bin/a.rs", main], None),
            ("autobins = false".to_owned(), vec!["src/bin/a.rs"], None),
            (
                "default-run = \"b\"".to_owned(),
                vec!["src/bin/a.rs", "src/bin/b.rs", main],
                Some(("b", "src/bin/b.rs")),
            ),
            (bin("a", ""), vec!["src/bin/a.rs"], Some(("a", "src/bin/a.rs"))),
        ];
        for (rest, files, expected) in cases {
            let manifest = Manifest::read(&format!("[package]\nname = \"shop\"\n{rest}")).unwrap();
            let found = manifest.program(&files.into_iter().collect());
            let expected = expected.map(|(name, root)| (name.to_owned(), root.to_owned()));
            assert_eq!(found, expected, "{rest}");
        }
    }
}
