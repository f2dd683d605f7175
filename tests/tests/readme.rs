//! The tour of the README, run as it is printed.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    path::Path,
    process::{Command, Output},
};

use system_tests::Running;

/// Everything between ```` ```sh ```` and its end in the chapter of the tour.
fn tour() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let (_, from_tour) = readme.split_once("## A tour in five minutes").unwrap();
    let chapter = from_tour.split("\n## ").next().unwrap();
    let blocks = chapter.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

fn run(script: &str) -> Output {
    Command::new("sh").args(["-euc", script]).output().unwrap()
}

#[test]
fn the_tour_of_the_readme_works_as_printed() {
    let dir = tempfile::tempdir().unwrap();
    let (_dev, url) = Running::dev(dir.path());
    let script = tour().replace("http://127.0.0.1:8080", &url);

    let output = run(&script);

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for expected in [
        r#""user_id":"user-"#,
        r#""output":{"hello":"Ada"}"#,
        r#""output":{"hello":"Grace"}"#,
        r#""line":"#,
        r#""status":"failed""#,
        "missing",
    ] {
        assert!(said.contains(expected), "{expected} is missing in:\n{said}");
    }
}
