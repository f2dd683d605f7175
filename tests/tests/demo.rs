//! `apprun demo` holds every expectation itself; here is seen that it does, and cleans up.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use nix::sys::signal::Signal;
use system_tests::{Running, apprun};

#[test]
fn the_demo_succeeds_and_leaves_neither_process_nor_file() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().to_str().unwrap();

    let demo = apprun(dir.path(), &["demo"], &[("TMPDIR", temporary)]);

    assert_eq!(demo.code, Some(0), "{}\n{}", demo.stdout, demo.stderr);
    assert!(demo.stdout.contains("Everything was as it should be"), "{}", demo.stdout);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "files were left behind");
}

#[test]
fn an_interrupted_demo_leaves_neither_process_nor_file() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().to_str().unwrap();
    let mut demo = Running::start(dir.path(), &["demo"], &[("TMPDIR", temporary)]);
    demo.wait_for_line("create project");

    demo.signal(Signal::SIGINT);

    assert_eq!(demo.wait().code(), Some(130));
    demo.assert_nothing_left();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "files were left behind");
}
