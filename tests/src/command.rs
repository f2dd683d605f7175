//! The binary under test, run to its end.

use std::{
    ffi::OsStr,
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::leftovers::Mark;

/// How a run ended and what it said.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The `apprun` of this build, which lies two directories above the tests' own programs.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("apprun");
    assert!(path.is_file(), "{} is missing: cargo build -p apprun", path.display());
    path
}

/// A command in `dir` with nothing of this process's own settings in its environment, started by
/// `starter` if that is not empty: a program that takes a command line, `setpriv` for example.
pub(crate) fn command_through(starter: &[&str], dir: &Path, arguments: &[&str]) -> Command {
    let own = binary();
    let mut words = starter.iter().map(OsStr::new).chain([own.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(arguments).current_dir(dir).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let is_setting = name.to_string_lossy().starts_with("APPRUN_");
        if is_setting && name != "APPRUN_POSTGRES_BIN" {
            command.env_remove(name);
        }
    }
    // Tests ask far more often than people do how far something is.
    command.env("APPRUN_RATE_LIMIT", "off");
    command
}

/// Runs `apprun` with these arguments and variables in `dir` and waits for its end, and for the end
/// of everything it started.
pub fn apprun(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    run_to_the_end(&[], dir, arguments, variables, "")
}

/// The same, with this text on its standard input.
pub fn apprun_reading(
    dir: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> Finished {
    run_to_the_end(&[], dir, arguments, variables, input)
}

/// The same, started by another program that takes a command line.
pub fn apprun_through(
    starter: &[&str],
    dir: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Finished {
    run_to_the_end(starter, dir, arguments, variables, "")
}

fn run_to_the_end(
    starter: &[&str],
    dir: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> Finished {
    let mark = Mark::new();
    let mut command = command_through(starter, dir, arguments);
    command.envs(variables.iter().copied()).env(mark.name(), mark.value());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).and_then(|()| file.rewind()).unwrap();
    let output = command.stdin(file).output().unwrap();
    mark.assert_nothing_left();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
