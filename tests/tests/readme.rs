//! The tour of the README, run as it is printed.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    path::Path,
    process::{Command, Output},
};

use system_tests::{Running, binary};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Everything between ```` ```sh ```` and its end in a chapter.
fn commands_of(chapter: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, from_chapter) = readme.split_once(&format!("\n## {chapter}\n")).unwrap();
    let chapter = from_chapter.split("\n## ").next().unwrap();
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
    let script = commands_of("A tour in five minutes").replace("http://127.0.0.1:8080", &url);

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

#[test]
fn the_second_minute_of_the_readme_works_as_printed() {
    let dir = tempfile::tempdir().unwrap();
    let (_dev, url) = Running::dev(dir.path());
    // What somebody at a terminal would type, and where this build's binary lies.
    let binaries = binary().parent().unwrap().display().to_string();
    let script = commands_of("The second minute").replace("$PWD/target/release", &binaries);

    let output = Command::new("sh")
        .args(["-euc", &script])
        .current_dir(root())
        .env("XDG_CONFIG_HOME", dir.path())
        .env("APPRUN_SERVER", &url)
        .env("APPRUN_PASSWORD", "correct horse battery staple")
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("{\"message\":\"Hello, you!\"}\n"), "{said}");
    assert!(said.contains("greeting you"), "{said}");
}
