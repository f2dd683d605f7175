//! The command line, as somebody who types it sees it.

use std::process::{Command, Output};

fn apprun(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_apprun"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).current_dir("/");
    command.output().expect("the binary runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn version_prints_name_and_version() {
    let output = apprun(&["version"], &[]);
    assert_eq!(stdout(&output), format!("apprun {}\n", env!("CARGO_PKG_VERSION")));
    assert!(output.status.success());
}

#[test]
fn every_command_that_runs_a_server_has_help_with_every_setting() {
    for command in ["dev", "api", "worker", "migrate", "demo", "toolchains", "version"] {
        let output = apprun(&[command, "--help"], &[]);
        assert!(output.status.success(), "{command}");
        assert!(stdout(&output).contains("--http-addr"), "{command}");
        assert!(stdout(&output).contains("APPRUN_HTTP_ADDR"), "{command}");
    }
}

#[test]
fn an_unknown_command_is_answered_with_the_nearest() {
    let output = apprun(&["wroker"], &[]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("worker"), "{}", stderr(&output));
}

#[test]
fn api_and_worker_say_which_settings_they_need() {
    for command in ["api", "worker", "migrate"] {
        let secret = "0123456789abcdef0123456789abcdef";
        let output = apprun(&[command], &[("APPRUN_JWT_SECRET", secret)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("set APPRUN_DATABASE_URL"), "{}", stderr(&output));
    }
    let output = apprun(&["api"], &[("APPRUN_DATABASE_URL", "postgres://nobody@localhost/x")]);
    assert!(stderr(&output).contains("set APPRUN_JWT_SECRET"), "{}", stderr(&output));
}

#[test]
fn a_mistyped_variable_is_refused_with_the_nearest() {
    let output = apprun(&["dev"], &[("APPRUN_HTTP_ADRR", "x")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did you mean APPRUN_HTTP_ADDR?"), "{}", stderr(&output));
}

#[test]
fn a_database_that_is_not_there_gives_one_line() {
    let url = "postgres://nobody:hunter2@127.0.0.1:1/x";
    let output = apprun(&["migrate"], &[("APPRUN_DATABASE_URL", url)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output).trim_end().lines().count(), 1, "{}", stderr(&output));
    assert!(!stderr(&output).contains("hunter2"));
}

#[test]
fn toolchains_lists_what_is_there_for_people_and_for_programs() {
    let home = std::env::var("HOME").expect("a home");
    let path = std::env::var("PATH").expect("a path");
    let machine = [("HOME", home.as_str()), ("PATH", path.as_str())];
    let listed = stdout(&apprun(&["toolchains"], &machine));
    assert!(listed.contains("serves rust") && listed.contains("serves go1.0 to go1."), "{listed}");
    let json = apprun(&["toolchains", "--json"], &machine);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["toolchains"][0]["language"], "go", "{json}");
}
