//! The scripts in `scripts/` do what their first lines say, on a machine of an ordinary user too.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A folder with a program of this name that does what `script` says.
fn add_program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// What becomes of a command line, for somebody who is not root and may use sudo.
fn as_root(command: &[&str]) -> String {
    let programs = tempfile::tempdir().unwrap();
    add_program(programs.path(), "id", "echo 1000");
    add_program(programs.path(), "sudo", r#"echo "as root: $*""#);
    add_program(programs.path(), "rustc", "echo 'host: x86_64-unknown-linux-gnu'");
    add_program(
        programs.path(),
        "cargo",
        r#"echo "cargo $*, its programs by: $CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER""#,
    );
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    let output = Command::new(root().join("scripts/as-root.sh"))
        .args(command)
        .envs([("PATH", path.as_str()), ("HOME", "/home/ann")])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.replace(&path, "PATHS").trim_end().to_owned()
}

#[test]
fn a_script_that_needs_root_gets_it_and_cargo_stays_the_users() {
    assert_eq!(
        as_root(&["loadtests/run.sh", "soak"]),
        "as root: --preserve-env env HOME=/home/ann PATH=PATHS loadtests/run.sh soak"
    );
    assert_eq!(
        as_root(&["cargo", "test"]),
        "cargo test, its programs by: sudo --preserve-env env HOME=/home/ann PATH=PATHS"
    );
}

#[test]
fn every_script_is_one_its_shell_understands() {
    for folder in ["scripts", "loadtests", "loadtests/queue-bench", ".ci"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap_or_default();
            let Some(shell) = text.lines().next().and_then(|line| line.strip_prefix("#!/bin/"))
            else {
                continue;
            };
            let read = Command::new(shell).arg("-n").arg(&path).output().unwrap();
            assert!(read.status.success(), "{}: {read:?}", path.display());
        }
    }
}
