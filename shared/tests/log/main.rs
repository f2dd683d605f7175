//! The log as a collector reads it: a process of its own, whose every line is one JSON object.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::process::Command;

use serde_json::Value;
use shared::telemetry::{self, LogFormat};

#[test]
#[ignore = "not a test: the process that the test below starts"]
fn process_that_panics() {
    telemetry::init("info", LogFormat::Json).unwrap();
    std::thread::spawn(|| panic!("as if\nby chance")).join().unwrap_err();
}

#[test]
fn a_panic_is_a_line_like_all_others() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "process_that_panics", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert_eq!(
        (&lines[0]["message"], &lines[0]["panic"], &lines[0]["level"]),
        (&"a thread panicked".into(), &"as if\nby chance".into(), &"ERROR".into())
    );
    assert!(lines[0]["location"].as_str().unwrap().contains("log/main.rs"), "{said}");
}
