//! Other people's code, from a directory that is a Go module proxy and a crate registry, through deploy,
//! worker and sandbox into an answer.

use std::{fs, io::Write, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};

use crate::person::Person;

const MODULE: &str = "example.com/greet@v1.0.0";
const GO_MOD: &str = "module example.com/greet\n\ngo 1.21\n";
const GREET: &str =
    "package greet\n\nfunc Hello(name string) string { return \"hello \" + name }\n";
const SHOUT: &str = "pub fn shout(text: &str) -> String { text.to_uppercase() }\n";
const CRATE: &str = "shout-0.3.0";

fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn sha256(content: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(content))
}

/// A line of `go.sum` (<https://pkg.go.dev/golang.org/x/mod/sumdb/dirhash>).
fn go_sum(of: &str, files: &[(String, &str)]) -> String {
    let line = |(name, text): &(String, &str)| format!("{}  {name}\n", sha256(text));
    let lines: String = files.iter().map(line).collect();
    format!("example.com/greet {of} h1:{}\n", BASE64.encode(Sha256::digest(lines)))
}

/// The module where a proxy has it; the lines of `go.sum` that pin it.
fn publish_module(root: &Path) -> String {
    let files = [(format!("{MODULE}/go.mod"), GO_MOD), (format!("{MODULE}/greet.go"), GREET)];
    let mut zip = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, text) in &files {
        let (mut entry, config) = zip.new_file(name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(text.as_bytes()).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    put(root, "example.com/greet/@v/v1.0.0.zip", zip.finish().unwrap());
    put(root, "example.com/greet/@v/v1.0.0.mod", GO_MOD);
    let of_go_mod = go_sum("v1.0.0/go.mod", &[("go.mod".to_owned(), GO_MOD)]);
    go_sum("v1.0.0", &files) + &of_go_mod
}

/// The crate where a registry has it; its checksum.
fn publish_crate(root: &Path) -> String {
    let manifest = "[package]\nname = \"shout\"\nversion = \"0.3.0\"\nedition = \"2021\"\n";
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (path, text) in [("Cargo.toml", manifest), ("src/lib.rs", SHOUT)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{CRATE}/{path}"), text.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let checksum = sha256(&archive);
    let line = serde_json::json!({
        "name": "shout", "vers": "0.3.0", "deps": [], "features": {}, "yanked": false,
        "cksum": checksum,
    });
    put(root, "sh/ou/shout", format!("{line}\n"));
    put(root, "config.json", "{\"dl\":\"{crate}-{version}.crate\"}");
    put(root, &format!("{CRATE}.crate"), archive);
    checksum
}

/// At work at a server whose builds fetch from the directory.
fn at_work_with(root: &Path) -> Person {
    let place = format!("file://{}", root.display());
    let settings = format!(
        "functions:\n  build:\n    go_proxy: {place}\n    go_allow: example.com\n    cargo_registry: {place}\n"
    );
    Person::at_work_with(&settings)
}

#[test]
fn a_go_module_is_fetched_built_and_called() {
    let root = tempfile::tempdir().unwrap();
    let sums = publish_module(root.path());
    let person = at_work_with(root.path());
    let source = |sums: &str| {
        let go_mod = "module shop\n\ngo 1.21\n\nrequire example.com/greet v1.0.0\n";
        let handler = "package shop\n\nimport \"example.com/greet\"\n\n\
                       func Handler(name string) (string, error) { return greet.Hello(name), nil }\n";
        let manifest = "name: shop\nruntime: go1.21\n";
        let files = [
            ("function.yaml", manifest),
            ("go.mod", go_mod),
            ("go.sum", sums),
            ("handler.go", handler),
        ];
        person.folder("shop", &files)
    };
    person.fine(&["deploy", &source(&sums)]);
    assert_eq!(person.fine(&["invoke", "shop", "\"ann\""]), "\"hello ann\"\n");

    let other = sums.replacen("h1:", "h1:AAAA", 1);
    let refused = person.run(&["deploy", &source(&other)]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(
        person.fine(&["invoke", "shop", "\"bob\""]),
        "\"hello bob\"\n",
        "the old one serves"
    );
}

#[test]
fn a_crate_is_fetched_built_and_called() {
    let root = tempfile::tempdir().unwrap();
    let checksum = publish_crate(root.path());
    let person = at_work_with(root.path());
    let source = |checksum: &str| {
        let lock = format!(
            "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\n \"shout\",\n]\n\n\
             [[package]]\nname = \"shout\"\nversion = \"0.3.0\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{checksum}\"\n"
        );
        let cargo = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n\
                     [dependencies]\nshout = \"0.3\"\n";
        // A program of its own: a handler needs serde too, which this registry does not have.
        let program = "use std::io;\n\nfn main() {\n    let text = io::read_to_string(io::stdin()).unwrap();\n    \
                       println!(\"{}\", shout::shout(&text));\n}\n";
        let folder = person.folder(
            "shop",
            &[
                ("function.yaml", "name: shop\nruntime: rust\n"),
                ("Cargo.toml", cargo),
                ("Cargo.lock", &lock),
            ],
        );
        put(Path::new(&folder), "src/main.rs", program);
        folder
    };
    person.fine(&["deploy", &source(&checksum)]);
    assert_eq!(person.fine(&["invoke", "shop", "\"ann\""]), "\"ANN\"\n");

    let refused = person.run(&["deploy", &source(&sha256("another"))]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("with the checksum in Cargo.lock"), "{refused:?}");
}
