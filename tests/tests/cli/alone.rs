//! What needs no server, or has none.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::person::Person;

const COMMANDS: [&str; 18] = [
    "login",
    "logout",
    "whoami",
    "project",
    "init",
    "deploy",
    "functions",
    "invoke",
    "rollback",
    "secrets",
    "logs",
    "executions",
    "dead-letters",
    "members",
    "invitations",
    "tenants",
    "tokens",
    "completions",
];

#[test]
fn every_command_explains_its_exit_codes() {
    let person = Person::alone();
    for command in COMMANDS {
        let help = person.fine(&[command, "--help"]);
        for code in
            ["0  done", "1  the function", "2  usage", "3  not", "4  there", "5  the server"]
        {
            assert!(help.contains(code), "{command}: {code}");
        }
        assert!(!help.contains("--http-addr"), "{command} has settings of servers");
    }
}

#[test]
fn a_mistyped_command_is_answered_with_the_nearest() {
    let person = Person::alone();
    for (line, meant) in [
        (["functons", "list"], "functions"),
        (["functions", "lst"], "list"),
        (["project", "creat"], "create"),
    ] {
        let refused = person.run(&line);
        assert_eq!(refused.code, Some(2), "{line:?}");
        assert!(refused.stderr.contains(&format!("'{meant}'")), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let person = Person::alone();
    let config = person.home().display().to_string();
    let variables = [("XDG_CONFIG_HOME", config.as_str()), ("APPRUN_SERVER", &person.server)];
    for (line, way) in [
        (&["login"][..], "--email"),
        (&["login", "--email", "me@example.com"][..], "APPRUN_PASSWORD"),
    ] {
        let refused = system_tests::apprun_reading(person.home(), line, &variables, "typed\n");
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(way), "{}", refused.stderr);
    }
}

#[test]
fn a_server_that_is_not_there_and_a_login_that_is_not_there_are_told_apart() {
    let person = Person::alone();
    let (envelope, code) = person.envelope(&["whoami"]);
    assert_eq!((code, envelope["error"]["code"].as_str()), (Some(3), Some("UNAUTHENTICATED")));

    let (envelope, code) = person.envelope(&["login", "--email", "me@example.com"]);
    assert_eq!((code, envelope["error"]["code"].as_str()), (Some(5), Some("UNREACHABLE")));

    let refused = person.run(&["whoami"]);
    assert!(refused.stderr.contains("next: apprun login"), "{}", refused.stderr);
}

#[test]
fn a_command_line_that_makes_no_sense_is_an_envelope_too() {
    let (envelope, code) = Person::alone().envelope(&["invoke"]);
    assert_eq!(code, Some(2));
    assert_eq!(
        (&envelope["success"], &envelope["error"]["code"]),
        (&false.into(), &"USAGE".into())
    );
}

#[test]
fn init_makes_a_folder_and_keeps_what_is_there() {
    let person = Person::alone();
    for (language, file) in [("go", "handler.go"), ("rust", "handler.rs")] {
        let made = person.run(&["init", language, "--language", language]);
        assert_eq!((made.code, made.stdout.as_str()), (Some(0), ""), "{made:?}");
        assert!(
            made.stderr.contains(&format!("next: apprun deploy {language}")),
            "{}",
            made.stderr
        );
        assert!(person.home().join(language).join(file).is_file());
    }
    std::fs::write(person.home().join("go/function.yaml"), "mine").unwrap();
    assert_eq!(person.run(&["init", "go"]).code, Some(2));
    assert_eq!(std::fs::read_to_string(person.home().join("go/function.yaml")).unwrap(), "mine");
}

#[test]
fn a_manifest_that_is_wrong_is_told_with_its_line() {
    let person = Person::alone();
    let folder = person.folder("hello", &[("function.yaml", "name: hello\nruntine: rust\n")]);
    let refused = person.run(&["deploy", &folder]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("function.yaml:2: unknown key runtine; did you mean runtime?"));
}

#[test]
fn completions_are_scripts_that_their_shell_can_read() {
    let person = Person::alone();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(person.fine(&["completions", shell]).contains("executions"), "{shell}");
    }
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    let script = person.fine(&["completions", "bash"]);
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}
