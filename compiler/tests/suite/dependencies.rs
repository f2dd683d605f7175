//! Other people's code: pinned by the author, given to the build as files, checked inside it.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use compiler::{BuildLimits, BuildOutcome, Dependency, Fetched, Fetches, FunctionResult};
use sha2::{Digest, Sha256};
use shared::domain::Runtime;

use crate::common::{Workshop, binary, bundle};

const BOTH: Fetches = Fetches { go_modules: true, crates: true };
const MODULE: &str = "module example.com/Greet\n\ngo 1.21\n";
const GREET: &str =
    "package greet\n\nfunc Hello(name string) string { return \"hello \" + name }\n";
const GO_HANDLER: &str = "package main\n\nimport greet \"example.com/Greet\"\n\n\
    func Handler(name string) (string, error) { return greet.Hello(name), nil }\n";

/// `h1:` of a list of files (<https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash>).
fn h1(files: &[(&str, &str)]) -> String {
    let line = |(name, text): &(&str, &str)| {
        format!("{}  {name}\n", hex::encode(Sha256::digest(text.as_bytes())))
    };
    let lines: String = files.iter().map(line).collect();
    format!("h1:{}", BASE64.encode(Sha256::digest(lines.as_bytes())))
}

/// A module archive, as a proxy serves it.
fn module_zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, text) in files {
        let (mut entry, config) = zip.new_file(*name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(text.as_bytes()).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    zip.finish().unwrap()
}

fn go_source(sums: &str) -> Vec<(String, String)> {
    let go_mod = "module shop\n\ngo 1.21\n\nrequire example.com/Greet v1.0.0\n";
    let files = [("go.mod", go_mod), ("go.sum", sums), ("handler.go", GO_HANDLER)];
    files.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
}

/// Builds a Go handler that needs one module; the proxy gives out `code` for it.
async fn build_with_module(workshop: &Workshop, code: &str) -> BuildOutcome {
    let names = ["example.com/Greet@v1.0.0/go.mod", "example.com/Greet@v1.0.0/greet.go"];
    let sums = format!(
        "example.com/Greet v1.0.0 {}\nexample.com/Greet v1.0.0/go.mod {}\n",
        h1(&[(names[0], MODULE), (names[1], GREET)]),
        h1(&[("go.mod", MODULE)]),
    );
    let source = go_source(&sums);
    let source: Vec<_> = source.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let plan = workshop.compiler.plan(Runtime::Go { minor: 21 }, &bundle(&source)).unwrap();
    let archive = module_zip(&[(names[0], MODULE), (names[1], code)]);
    assert_eq!(plan.needs().len(), 2);
    let mut fetched = Fetched::default();
    for need in plan.needs() {
        let Dependency::GoModule(module) = need else { unreachable!("Go needs no crates") };
        let content = if module.with_code { archive.clone() } else { MODULE.into() };
        fetched.add_module(module, content);
    }
    workshop.build_plan(&plan, fetched, BuildLimits::default()).await
}

#[tokio::test]
async fn a_go_module_is_built_from_what_was_fetched() {
    let workshop = Workshop::fetching(BOTH).await;
    let binary = binary(build_with_module(&workshop, GREET).await);
    let result = workshop.result(&binary, "\"ann\"").await;
    assert_eq!(result, FunctionResult::Completed { output: "\"hello ann\"".into() });
    workshop.close().await;
}

#[tokio::test]
async fn a_go_module_that_is_not_what_was_pinned_fails_the_build() {
    let workshop = Workshop::fetching(BOTH).await;
    let outcome = build_with_module(&workshop, &GREET.replace("hello", "HELLO")).await;
    let BuildOutcome::Failed(failure) = outcome else { panic!("built") };
    assert!(failure.log.text.contains("checksum mismatch"), "{failure:#?}");
    workshop.close().await;
}

/// A crate archive, as a registry serves it.
fn crate_archive(name: &str, version: &str, code: &str) -> Vec<u8> {
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n");
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (path, text) in [("Cargo.toml", manifest.as_str()), ("src/lib.rs", code)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        let path = format!("{name}-{version}/{path}");
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn lock(dependencies: &str, packages: &str) -> String {
    format!(
        "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n\
         dependencies = [\n {dependencies}\n]\n\n{packages}"
    )
}

fn pin(name: &str, version: &str, archive: &[u8]) -> String {
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"\n\n",
        hex::encode(Sha256::digest(archive))
    )
}

/// A registry that has these archives, each of the next crate that is needed.
fn registry(needs: &[Dependency], archives: &[&[u8]]) -> Fetched {
    assert_eq!(needs.len(), archives.len(), "{needs:?}");
    let mut fetched = Fetched::default();
    for (need, archive) in needs.iter().zip(archives) {
        let Dependency::Crate(wanted) = need else { unreachable!("Rust needs no modules") };
        let line = serde_json::json!({
            "name": wanted.name, "vers": wanted.version, "deps": [], "features": {}, "yanked": false,
            "cksum": hex::encode(wanted.sha256),
        });
        fetched.add_crate(wanted, &line.to_string(), archive.to_vec());
    }
    fetched
}

#[tokio::test]
async fn a_program_with_its_own_lock_is_built_frozen_from_what_was_fetched() {
    let workshop = Workshop::fetching(BOTH).await;
    let code = "pub fn shout(text: &str) -> String { text.to_uppercase() }\n";
    let archive = crate_archive("shout", "0.3.0", code);
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\nshout = \"0.3\"\n";
    let main = "fn main() { println!(\"{:?}\", shout::shout(\"hi\")) }\n";
    // Its own settings must not matter: another registry, a wrapper around the compiler.
    let settings = "[build]\nrustc-wrapper = \"/work/source/evil\"\n\
                    [source.crates-io]\nreplace-with = \"x\"\n[source.x]\nregistry = \"https://x\"\n";
    let lock = lock("\"shout\",", &pin("shout", "0.3.0", &archive));
    let source = bundle(&[
        ("Cargo.toml", manifest),
        ("Cargo.lock", &lock),
        ("src/main.rs", main),
        (".cargo/config.toml", settings),
    ]);
    let plan = workshop.compiler.plan(Runtime::Rust, &source).unwrap();
    let fetched = registry(plan.needs(), &[&archive]);
    let built = workshop.build_plan(&plan, fetched, BuildLimits::default()).await;
    let result = workshop.result(&binary(built), "null").await;
    assert_eq!(result, FunctionResult::Completed { output: "\"HI\"".into() });

    let other = crate_archive("shout", "0.3.0", &code.replace("upper", "lower"));
    let changed = registry(plan.needs(), &[&other]);
    let outcome = workshop.build_plan(&plan, changed, BuildLimits::default()).await;
    let BuildOutcome::Failed(failure) = outcome else { panic!("built") };
    assert!(failure.log.text.contains("checksum"), "{failure:#?}");
    workshop.close().await;
}

#[tokio::test]
async fn two_versions_of_one_crate_are_built_side_by_side() {
    let workshop = Workshop::fetching(BOTH).await;
    let shout = |mark: &str| {
        format!("pub fn shout(text: &str) -> String {{ text.to_owned() + {mark:?} }}\n")
    };
    let old = crate_archive("shout", "0.2.0", &shout("!"));
    let new = crate_archive("shout", "0.3.0", &shout("?"));
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\nshout = \"0.3\"\nbefore = { package = \"shout\", version = \"0.2\" }\n";
    let main = "fn main() { println!(\"{:?}\", shout::shout(&before::shout(\"hi\"))) }\n";
    let pins = pin("shout", "0.2.0", &old) + &pin("shout", "0.3.0", &new);
    let lock = lock("\"shout 0.2.0\",\n \"shout 0.3.0\",", &pins);
    let source = bundle(&[("Cargo.toml", manifest), ("Cargo.lock", &lock), ("src/main.rs", main)]);
    let plan = workshop.compiler.plan(Runtime::Rust, &source).unwrap();
    let fetched = registry(plan.needs(), &[&old, &new]);
    let built = workshop.build_plan(&plan, fetched, BuildLimits::default()).await;
    let result = workshop.result(&binary(built), "null").await;
    assert_eq!(result, FunctionResult::Completed { output: "\"hi!?\"".into() });
    workshop.close().await;
}

/// Pins of a crate that the registry does not have.
fn missing(name: &str, version: &str) -> String {
    pin(name, version, b"never asked for")
}

#[tokio::test]
async fn a_handler_with_old_pins_is_built_from_a_registry_without_serde() {
    let workshop = Workshop::fetching(BOTH).await;
    let code = "pub fn shout(text: &str) -> String { text.to_uppercase() }\n";
    let archive = crate_archive("shout", "0.3.0", code);
    let manifest = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                    [dependencies]\nshout = \"0.3\"\nserde = { version = \"1\", features = [\"derive\"] }\n\
                    serde_json = \"1\"\n";
    let lib = "#[derive(serde::Deserialize)]\npub struct In { text: String }\n\
               pub fn handler(it: In) -> Result<serde_json::Value, String> { Ok(shout::shout(&it.text).into()) }\n";
    let pins = [
        missing("itoa", "1.0.11"),
        missing("serde", "1.0.150"),
        missing("serde_derive", "1.0.150"),
        missing("serde_json", "1.0.90"),
        pin("shout", "0.3.0", &archive),
    ];
    let lock = lock("\"serde\",\n \"serde_json\",\n \"shout\",", &pins.concat());
    let source = bundle(&[("Cargo.toml", manifest), ("Cargo.lock", &lock), ("src/lib.rs", lib)]);
    let plan = workshop.compiler.plan(Runtime::Rust, &source).unwrap();
    let fetched = registry(plan.needs(), &[&archive]);
    let built = workshop.build_plan(&plan, fetched, BuildLimits::default()).await;
    let result = workshop.result(&binary(built), "{\"text\":\"hi\"}").await;
    assert_eq!(result, FunctionResult::Completed { output: "\"HI\"".into() });
    workshop.close().await;
}

#[tokio::test]
async fn the_key_covers_the_pins_and_not_what_was_fetched_for_them() {
    let workshop = Workshop::fetching(BOTH).await;
    let key = |sums: &str| {
        let source = go_source(sums);
        let source: Vec<_> = source.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        workshop.compiler.plan(Runtime::Go { minor: 21 }, &bundle(&source)).unwrap().key()
    };
    assert_eq!(key("a v1.0.0 h1:x\n"), key("a v1.0.0 h1:x\n"));
    assert_ne!(key("a v1.0.0 h1:x\n"), key("a v1.0.0 h1:y\n"));
    workshop.close().await;
}
