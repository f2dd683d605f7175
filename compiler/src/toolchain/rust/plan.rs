//! Decides how a Rust source is built: library or program, which manifests, which command line.

use std::collections::BTreeSet;

use sandbox::InputFile;
use shared::domain::{Diagnostic, SourceBundle};

use super::{
    layout, lock,
    manifest::{self, Manifest},
    offered,
    warm::PREPARED,
};
use crate::{
    dependencies::{Dependency, Fetches},
    plan::{BuildPlan, Refusal, env, file, refuse_folder},
    toolchain::{
        Language,
        scan::{self, Function, Syntax},
    },
};

const MAIN: &str = include_str!("template/apprun_main.rs");
/// Told from the author's files by its name.
pub(super) const MAIN_FILE: &str = "apprun_main.rs";
/// The crate and binary of the generated main.
const MAIN_CRATE: &str = "apprun-main";
const HANDLER: &str = "handler";
/// Where the one crate root is looked for in a source without a manifest, first match first.
const ENTRIES: [&str; 5] = ["handler.rs", "src/lib.rs", "src/main.rs", "lib.rs", "main.rs"];
const LIBRARIES: [&str; 2] = ["src/lib.rs", "lib.rs"];
const PROGRAMS: [&str; 2] = ["src/main.rs", "main.rs"];

/// The author's crate, as far as the generated main has to know it.
struct AuthorCrate {
    name: String,
    /// Generated, where the source has none.
    manifest: Option<InputFile>,
    /// For the generated main.
    profile: String,
    /// The program to build, where it brings one.
    program: Option<String>,
    handler: Option<(String, Function)>,
}

pub(crate) fn plan(
    source: &SourceBundle,
    toolchain: &str,
    fetches: Fetches,
) -> Result<BuildPlan, Refusal> {
    refuse_folder(source, "Cargo.toml")?;
    let author = match source.get("Cargo.toml") {
        Some(manifest) => crate_with_manifest(source, manifest)?,
        None => crate_without_manifest(source)?,
    };
    let pins = pins(source, fetches, author.program.is_some())?;
    // It comes back below, where it can be kept.
    let given = source.files().filter(|(path, _)| *path != "Cargo.lock");
    let mut files: Vec<_> =
        given.map(|(path, content)| file(format!("source/{path}"), content)).collect();
    files.extend(author.manifest);
    let config = match pins {
        None => manifest::cargo_config(),
        Some(_) => manifest::fetched_config(),
    };
    files.push(file(".cargo/config.toml", config));
    let (folder, binary) = match author.program {
        Some(program) => ("source", program),
        None => {
            files.extend(main_crate(MAIN_CRATE, &author.name, &author.profile));
            ("main", MAIN_CRATE.to_owned())
        }
    };
    let mut args = build_args(folder, &binary);
    let is_whole = folder == "source";
    let joins_offered = pins.is_some() && !is_whole;
    let mut needs = Vec::new();
    if let Some(pins) = pins {
        // Cargo builds the workspace of the manifest it is given, and keeps to the lock beside it.
        files.push(file(format!("{folder}/Cargo.lock"), pins.lock));
        // The generated main is not in the author's lock; its own few crates join it.
        args.extend(is_whole.then(|| "--frozen".to_owned()));
        needs = pins.crates;
    }
    Ok(BuildPlan {
        language: Language::Rust,
        toolchain: toolchain.to_owned(),
        program: layout::CARGO.into(),
        args,
        env: environment(),
        files,
        artifact_path: format!("target/{}/release/{binary}", layout::TARGET),
        prepared: PREPARED,
        needs,
        joins_offered,
        handler: author.handler,
    })
}

/// What an author's lock asks for.
struct Pins {
    lock: String,
    /// All of the lock, to be fetched.
    crates: Vec<Dependency>,
}

/// None where the offered crates are all that a build needs, or gets: they exist in one version each,
/// so a lock that names others could not be kept. With a generated main they join the author's crates,
/// and take the place of older versions of themselves.
fn pins(
    source: &SourceBundle,
    fetches: Fetches,
    brings_main: bool,
) -> Result<Option<Pins>, Refusal> {
    let Some(lock) = source.get("Cargo.lock").filter(|_| fetches.crates) else { return Ok(None) };
    let lock = String::from_utf8_lossy(lock).into_owned();
    let offered = offered::crates();
    let is_offered = |it: &Dependency| matches!(it, Dependency::Crate(it) if offered.contains(it));
    let pinned = lock::crates(&lock)?;
    if pinned.iter().all(is_offered) {
        return Ok(None);
    }
    if brings_main {
        return Ok(Some(Pins { lock, crates: pinned }));
    }
    let lock = lock::without_replaced(&lock, &offered);
    let crates = lock::crates(&lock)?;
    Ok(Some(Pins { lock, crates }))
}

/// The generated crate.
pub(super) fn main_crate(name: &str, author: &str, profile: &str) -> [InputFile; 2] {
    [
        file("main/Cargo.toml", manifest::for_main(name, author, profile)),
        file(format!("main/{MAIN_FILE}"), MAIN),
    ]
}

/// The command line of every build. Run from `/work`, where cargo reads no configuration but ours.
pub(super) fn build_args(folder: &str, binary: &str) -> Vec<String> {
    let manifest = format!("/work/{folder}/Cargo.toml");
    let flags = ["build", "--release", "--offline", "--target", layout::TARGET, "--color", "never"];
    let what = ["--manifest-path", &manifest, "--bin", binary];
    flags.iter().chain(&what).map(|arg| (*arg).to_owned()).collect()
}

/// The whole environment of cargo: nothing else is visible to build scripts and macros.
pub(super) fn environment() -> Vec<(String, String)> {
    // Paths inside the binary and in panics start at the root of the source. The linker would start
    // a thread per core of the machine.
    let flags = "--remap-path-prefix=/work/source/=\u{1f}--remap-path-prefix=/cache/rust/vendor/=crates/\
                 \u{1f}-Clink-arg=--threads=2";
    env(&[
        ("HOME", sandbox::HOME_DIR),
        ("TMPDIR", sandbox::TMP_DIR),
        ("PATH", "/toolchains/rust/bin"),
        ("CARGO_HOME", "/home/cargo"),
        ("RUSTC", layout::RUSTC),
        ("CARGO_NET_OFFLINE", "true"),
        // As many as the limits allow cores.
        ("CARGO_BUILD_JOBS", "2"),
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_TARGET_DIR", "/work/target"),
        ("CARGO_BUILD_BUILD_DIR", layout::BUILD_CACHE),
        ("CARGO_PROFILE_RELEASE_STRIP", "symbols"),
        ("CARGO_ENCODED_RUSTFLAGS", flags),
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER", layout::LLD),
        ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "/cache/rust/linker/ld"),
    ])
}

fn crate_with_manifest(source: &SourceBundle, text: &[u8]) -> Result<AuthorCrate, Refusal> {
    let manifest = Manifest::read(&String::from_utf8_lossy(text)).ok_or_else(|| {
        vec![Diagnostic::error("no [package] with a name in it").at("Cargo.toml", 1, 1)]
    })?;
    let library = source.get(&manifest.library);
    let has_handler = library.is_some_and(offers_handler);
    let found = manifest.program(&paths(source));
    let (program, entry) = match found.filter(|_| !has_handler) {
        Some((program, entry)) if has_main(&functions_of(source, &entry)) => (Some(program), entry),
        Some((_, entry)) if library.is_none() => return Err(no_main_in(source, &entry)),
        None if library.is_none() => return Err(no_target(&manifest, source)),
        _ => (None, manifest.library),
    };
    let handler = handler_in(&entry, functions_of(source, &entry));
    let Manifest { package: name, profile, .. } = manifest;
    Ok(AuthorCrate { name, manifest: None, profile, program, handler })
}

fn paths(source: &SourceBundle) -> BTreeSet<&str> {
    source.files().map(|(path, _)| path).collect()
}

fn no_main_in(source: &SourceBundle, entry: &str) -> Refusal {
    let message = "with an own Cargo.toml the handler belongs in src/lib.rs; a program has fn main";
    let place = handler_in(entry, functions_of(source, entry));
    let (line, column) = place.map_or((1, 1), |(_, found)| (found.line, found.column));
    vec![Diagnostic::error(message).at(entry, line, column)]
}

fn no_target(manifest: &Manifest, source: &SourceBundle) -> Refusal {
    let several = !manifest.programs(&paths(source)).is_empty();
    let message = match several {
        true => "several programs and no library: default-run in [package] says which to build",
        false => "neither src/lib.rs with a handler nor src/main.rs with fn main",
    };
    vec![Diagnostic::error(message).at("Cargo.toml", 1, 1)]
}

fn crate_without_manifest(source: &SourceBundle) -> Result<AuthorCrate, Refusal> {
    let entry = entry_of(source)?;
    let functions = functions_of(source, entry);
    let name = manifest::DEFAULT_NAME.to_owned();
    let program = has_main(&functions).then(|| name.clone());
    let kind = if program.is_some() { "[bin]" } else { "lib" };
    let manifest = manifest::for_source(&name, kind, entry);
    Ok(AuthorCrate {
        name,
        manifest: Some(file("source/Cargo.toml", manifest)),
        profile: String::new(),
        program,
        handler: handler_in(entry, functions),
    })
}

/// The crate root: a library that offers a handler, a program, a usual name, or the only Rust file
/// there is. Beside a program, `handler.rs` is a module of it.
fn entry_of(source: &SourceBundle) -> Result<&str, Refusal> {
    let code: Vec<_> = source.files().filter(|(path, _)| path.ends_with(".rs")).collect();
    let first = |names: &[&str], fits: fn(&[u8]) -> bool| {
        let named = |name: &&str| code.iter().find(|(path, content)| path == name && fits(content));
        names.iter().find_map(named).map(|(path, _)| *path)
    };
    let usual = first(&LIBRARIES, offers_handler)
        .or_else(|| first(&PROGRAMS, |code| has_main(&scan::functions(code, Syntax::Rust))))
        .or_else(|| first(&ENTRIES, |_| true));
    match (usual, code.as_slice()) {
        (Some(entry), _) => Ok(entry),
        (None, [(only, _)]) => Ok(only),
        (None, []) => Err(vec![Diagnostic::error("no Rust file in the source")]),
        (None, _) => {
            let message = format!("no crate root among the files: one of {}", ENTRIES.join(", "));
            Err(vec![Diagnostic::error(message)])
        }
    }
}

fn functions_of(source: &SourceBundle, entry: &str) -> Vec<Function> {
    source.get(entry).map(|code| scan::functions(code, Syntax::Rust)).unwrap_or_default()
}

fn has_main(functions: &[Function]) -> bool {
    functions.iter().any(|function| function.name == "main")
}

/// Whether a library beside an own `main` is there for its handler.
fn offers_handler(library: &[u8]) -> bool {
    let functions = scan::functions(library, Syntax::Rust);
    functions.iter().any(|function| function.name == HANDLER) || scan::re_exports(library, HANDLER)
}

fn handler_in(entry: &str, functions: Vec<Function>) -> Option<(String, Function)> {
    let mut functions = functions.into_iter();
    functions.find(|function| function.name == HANDLER).map(|found| (entry.to_owned(), found))
}

#[cfg(test)]
mod tests {
    use shared::domain::SourceLimits;

    use super::*;

    fn bundle(files: &[(&str, &str)]) -> SourceBundle {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        SourceBundle::from_files(files, SourceLimits { files: 9, total_bytes: 9999 }).unwrap()
    }

    fn planned(files: &[(&str, &str)]) -> BuildPlan {
        plan(&bundle(files), "rustc", Fetches::default()).unwrap()
    }

    fn generated(plan: &BuildPlan, path: &str) -> String {
        let file = plan.files.iter().find(|file| file.path == path);
        String::from_utf8(file.unwrap_or_else(|| panic!("{path}")).content.clone()).unwrap()
    }

    #[test]
    fn a_handler_becomes_a_library_with_a_main_beside_it() {
        let plan = planned(&[("handler.rs", "pub fn handler(input: u8) -> Result<u8, String> {}")]);
        let manifest = generated(&plan, "source/Cargo.toml");
        assert!(manifest.contains("[lib]\nname = \"function\"\npath = \"handler.rs\""));
        assert!(generated(&plan, "main/Cargo.toml").contains("package = \"function\""));
        assert!(plan.args.contains(&"/work/main/Cargo.toml".to_owned()));
        assert_eq!(plan.artifact_path, "target/x86_64-unknown-linux-musl/release/apprun-main");
    }

    #[test]
    fn an_own_main_is_taken_as_it_is() {
        let plan = planned(&[("handler.rs", "fn main() {}")]);
        let manifest = generated(&plan, "source/Cargo.toml");
        assert!(manifest.contains("[[bin]]\nname = \"function\"\npath = \"handler.rs\""));
        assert!(plan.artifact_path.ends_with("release/function"));
        assert!(!plan.files.iter().any(|file| file.path.starts_with("main/")));
    }

    #[test]
    fn the_crate_root_is_what_says_so_and_not_the_first_name() {
        let (main, handler) = ("fn main() {}", "pub fn handler(n: u8) -> Result<u8, String> {}");
        let module = format!("mod handler; {main}");
        for (files, root) in [
            ([("handler.rs", handler), ("main.rs", &module)], "main.rs"),
            ([("src/lib.rs", "pub fn one() {}"), ("src/main.rs", main)], "src/main.rs"),
            ([("src/lib.rs", handler), ("src/main.rs", main)], "src/lib.rs"),
            ([("handler.rs", handler), ("lib.rs", "pub mod handler;")], "handler.rs"),
        ] {
            let manifest = generated(&planned(&files), "source/Cargo.toml");
            assert!(manifest.contains(&format!("path = {root:?}")), "{manifest}");
        }
    }

    #[test]
    fn an_own_manifest_is_honoured() {
        let manifest = "[package]\nname = \"greet\"\n";
        let lib = [("Cargo.toml", manifest), ("src/lib.rs", ""), ("Cargo.lock", "# lock")];
        let plan_of_lib = planned(&lib);
        assert!(generated(&plan_of_lib, "main/Cargo.toml").contains("package = \"greet\""));
        assert!(!plan_of_lib.files.iter().any(|file| file.path.ends_with("Cargo.lock")));
        assert_eq!(generated(&plan_of_lib, "source/Cargo.toml"), manifest);
        let bin = planned(&[("Cargo.toml", manifest), ("src/main.rs", "fn main() {}")]);
        assert!(bin.artifact_path.ends_with("release/greet"));
    }

    #[test]
    fn a_source_without_a_crate_root_is_refused() {
        let plan = |files: &[(&str, &str)]| plan(&bundle(files), "rustc", Fetches::default());
        let refused = |files: &[(&str, &str)]| plan(files).unwrap_err();
        assert!(refused(&[("a.txt", "")])[0].message.contains("no Rust file"));
        assert!(refused(&[("a.rs", ""), ("b.rs", "")])[0].message.contains("no crate root"));
        let clash = refused(&[("Cargo.toml/a.txt", ""), ("lib.rs", "")]);
        assert_eq!(clash[0].file.as_deref(), Some("Cargo.toml/a.txt"));
        let nameless = refused(&[("Cargo.toml", "[workspace]"), ("src/lib.rs", "")]);
        assert_eq!(nameless[0].file.as_deref(), Some("Cargo.toml"));
        assert!(plan(&[("only.rs", "")]).is_ok());
    }
}
