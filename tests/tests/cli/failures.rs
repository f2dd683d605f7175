//! What goes wrong: the exit code says what to do next, and envelopes say the rest.

use std::process::Command;

use system_tests::binary;

use crate::person::{Person, example};

/// A line, its exit code, and the code of the error in its envelope.
const TABLE: &[(&[&str], i32, &str)] = &[
    (&["invoke", "go-hello", "{}"], 1, "FUNC_EXEC_FAILED"),
    (&["invoke", "go-hello", "{not json"], 2, "USAGE"),
    (&["invoke", "go-hello", "--file", "no-such-file"], 2, "USAGE"),
    (&["deploy", "no-such-folder"], 2, "USAGE"),
    (&["project", "create", ""], 2, "VALIDATION_FAILED"),
    (&["functions", "list", "--cursor", "bad"], 2, "VALIDATION_FAILED"),
    (&["invoke", "go-helo", "{}"], 4, "FUNC_NOT_FOUND"),
    (&["functions", "list", "--project", "elsewhere"], 4, "NOT_FOUND"),
    (&["executions", "get", "exec-019b5a3e-4d5e-7f60-9a1b-8c2d3e4f5a6b"], 4, "NOT_FOUND"),
    (&["whoami", "--server", "http://127.0.0.1:1"], 3, "UNAUTHENTICATED"),
];

#[test]
fn every_failure_has_its_exit_code_and_its_envelope() {
    let person = Person::at_work();
    person.fine(&["deploy", &example("go-hello")]);
    for (line, exit, code) in TABLE {
        let (envelope, found) = person.envelope(line);
        assert_eq!(found, Some(*exit), "{line:?}: {envelope}");
        assert_eq!(envelope["success"], false, "{line:?}");
        assert_eq!(envelope["error"]["code"], *code, "{line:?}: {envelope}");

        let refused = person.run(line);
        assert_eq!(refused.code, Some(*exit), "{line:?}");
        assert_eq!(refused.stdout, "", "{line:?}: nothing but data");
        assert!(refused.stderr.contains("apprun: "), "{line:?}: {refused:?}");
    }
    let refused = person.run(&["invoke", "go-helo", "{}"]);
    assert!(refused.stderr.contains("did you mean \"go-hello\"?"), "{}", refused.stderr);

    let mut variables = person.variables().to_vec();
    variables.push(("APPRUN_TOKEN", "forged"));
    let refused = system_tests::apprun(person.home(), &["functions", "list"], &variables);
    assert_eq!(refused.code, Some(3), "{refused:?}");
}

#[test]
fn an_envelope_is_the_same_on_a_terminal() {
    let person = Person::at_work();
    let line = ["project", "list", "--json"];
    let (without, _) = person.envelope(&line[..2]);

    // `script` gives the command a terminal for all three of its streams.
    let command = format!("{} {}", binary().display(), line.join(" "));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .envs(person.variables())
        .output()
        .unwrap();

    assert!(output.status.success(), "{output:?}");
    let with: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(with["data"], without["data"]);
}
