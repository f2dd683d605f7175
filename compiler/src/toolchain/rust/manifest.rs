//! The two manifests of a Rust build: the author's crate, where none came with the source, and the
//! crate with the generated `main`.

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
pub(super) fn for_main(name: &str, author_crate: &str) -> String {
    format!(
        "[package]\nname = {name:?}\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [[bin]]\nname = {name:?}\npath = {MAIN_FILE:?}\n\n\
         [dependencies]\napprun_serve = {{ path = {SERVE:?} }}\n\
         function = {{ path = \"../source\", package = {author_crate:?} }}\n\n[workspace]\n"
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

/// `package.name` of a manifest. Reads the two usual spellings; cargo itself judges the rest.
pub(super) fn package_name(manifest: &str) -> Option<String> {
    let mut in_package = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            let header = line.split('#').next().unwrap_or_default();
            in_package = header.split_whitespace().collect::<String>() == "[package]";
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let key: String = key.split_whitespace().collect();
        if (in_package && key == "name") || key == "package.name" {
            return quoted(value.trim());
        }
    }
    None
}

fn quoted(value: &str) -> Option<String> {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (name, _) = value[1..].split_once(quote)?;
    let is_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
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
            ("[[bin]]\nname = \"other\"\n[package]\nname = \"greet\"", Some("greet")),
            ("[workspace]\nname = \"x\"", None),
            ("[package]\nname = \"a\\\"b\"", None),
            ("", None),
        ];
        for (manifest, expected) in cases {
            assert_eq!(package_name(manifest).as_deref(), expected, "{manifest}");
        }
    }
}
