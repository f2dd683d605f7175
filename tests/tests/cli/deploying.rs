//! From a folder to an answer.

use serde_json::Value;

use crate::person::{Person, example};

#[test]
fn an_example_is_deployed_and_called() {
    let person = Person::at_work();
    let deployed = person.run(&["deploy", &example("go-hello")]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    assert!(deployed.stdout.starts_with("func-"), "{deployed:?}");
    assert!(deployed.stderr.contains("go-hello version 1 is active"), "{deployed:?}");
    assert!(deployed.stderr.contains("next: apprun invoke go-hello"), "{deployed:?}");
    assert!(!deployed.stderr.contains("building"), "no progress without a terminal");

    let called = person.run(&["invoke", "go-hello", r#"{"name":"you"}"#]);
    assert_eq!((called.code, called.stdout.as_str()), (Some(0), "{\"message\":\"Hello, you!\"}\n"));
    assert!(called.stderr.contains("greeting you"), "the log goes to standard error: {called:?}");

    let queued = person.fine(&["invoke", "go-hello", r#"{"name":"later"}"#, "--async"]);
    let id = queued.trim_end();
    assert!(id.starts_with("exec-"), "{queued}");
    let output = person.fine(&["executions", "get", id, "--wait"]);
    assert_eq!(output, "{\"message\":\"Hello, later!\"}\n");
    assert!(person.fine(&["executions", "list", "go-hello"]).contains(id));
    assert!(person.fine(&["executions", "list", "--status", "completed"]).contains(id));
    assert_eq!(person.fine(&["executions", "replay", id, "--wait"]), output);
    assert!(person.fine(&["functions", "list"]).starts_with("go-hello  active"));
}

#[test]
fn input_comes_from_an_argument_a_file_or_standard_input_and_numbers_survive() {
    let person = Person::at_work();
    let echo = "package main\n\nimport \"encoding/json\"\n\nfunc Handler(in json.RawMessage) \
                (json.RawMessage, error) {\n\treturn in, nil\n}\n";
    let manifest = "name: echo\nruntime: go1.21\n";
    let folder = person.folder("echo", &[("function.yaml", manifest), ("handler.go", echo)]);
    person.fine(&["deploy", &folder]);

    let input = r#"{"n":123456789012345678901234567890,"x":1.10}"#;
    std::fs::write(person.home().join("input.json"), input).unwrap();
    assert_eq!(person.fine(&["invoke", "echo", input]).trim_end(), input);
    assert_eq!(person.fine(&["invoke", "echo", "--file", "input.json"]).trim_end(), input);
    assert_eq!(person.run_reading(&["invoke", "echo", "-"], input).stdout.trim_end(), input);
    assert_eq!(person.fine(&["invoke", "echo"]).trim_end(), "null");
    assert!(person.fine(&["invoke", "echo", input, "--json"]).contains(input));
}

#[test]
fn a_compile_error_is_shown_with_file_line_and_mark() {
    let person = Person::at_work();
    let code = "pub fn handler(n: u64) -> Result<u64, String> {\n    Ok(n + missing)\n}\n";
    let manifest = "name: broken\nruntime: rust\n";
    let folder = person.folder("broken", &[("function.yaml", manifest), ("handler.rs", code)]);
    let refused = person.run(&["deploy", &folder]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let shown = " --> handler.rs:2:12\n  |\n2 |     Ok(n + missing)\n  |            ^\n";
    assert!(refused.stderr.contains(shown), "{}", refused.stderr);
    assert!(refused.stderr.contains("missing` in this scope"), "{}", refused.stderr);
}

#[test]
fn a_failed_build_is_a_failure_in_its_envelope() {
    let person = Person::at_work();
    let code = "package main\n\nfunc Handler(in map[string]any) (map[string]any, error) {\n\treturn \
                missing, nil\n}\n";
    let manifest = "name: broken\nruntime: go1.21\n";
    let folder = person.folder("broken", &[("function.yaml", manifest), ("handler.go", code)]);
    let (envelope, exit) = person.envelope(&["deploy", &folder]);
    assert_eq!(exit, Some(1), "{envelope}");
    assert_eq!(envelope["success"], false);
    assert_eq!(envelope["error"]["code"], "FUNC_COMPILE_FAILED");
    let diagnostics = &envelope["error"]["details"]["build"]["diagnostics"];
    assert_eq!(diagnostics[0]["line"], Value::from(4), "{envelope}");
}

#[test]
fn a_source_that_is_not_text_goes_as_an_archive() {
    let person = Person::at_work();
    let code = "package main\n\nimport _ \"embed\"\n\n//go:embed data.bin\nvar data []byte\n\nfunc \
                Handler(in any) (int, error) {\n\treturn len(data), nil\n}\n";
    let manifest = "name: embeds\nruntime: go1.21\n";
    let folder = person.folder("embeds", &[("function.yaml", manifest), ("handler.go", code)]);
    std::fs::write(person.home().join("embeds/data.bin"), [0xff, 0x00, 0xfe]).unwrap();
    person.fine(&["deploy", &folder]);
    assert_eq!(person.fine(&["invoke", "embeds"]), "3\n");
}

#[test]
fn a_call_is_shortened_cancelled_and_waited_for() {
    let person = Person::at_work();
    person.fine(&["deploy", &example("go-sleep")]);
    let nap = r#"{"seconds":60,"stubborn":true}"#;
    let late = person.run(&["invoke", "go-sleep", nap, "--timeout", "200ms"]);
    assert_eq!((late.code, late.stdout.as_str()), (Some(1), ""), "{late:?}");
    assert!(late.stderr.contains("timeout"), "{late:?}");

    let queued = person.fine(&["invoke", "go-sleep", nap, "--async"]);
    let id = queued.trim_end();
    person.fine(&["executions", "cancel", id]);
    let waited = person.run(&["executions", "get", id, "--wait"]);
    assert_eq!(waited.code, Some(1), "{waited:?}");
    assert!(waited.stderr.contains("cancelled"), "{waited:?}");
}

#[test]
fn a_name_that_is_deployed_again_gets_a_version_and_can_go_back() {
    let person = Person::at_work();
    let source = |answer: &str| {
        format!("pub fn handler(_: ()) -> Result<String, String> {{ Ok({answer:?}.into()) }}\n")
    };
    let manifest = "name: changing\nruntime: rust\n";
    let deploy = |code: &str| {
        let files = [("function.yaml", manifest), ("handler.rs", code)];
        person.run(&["deploy", &person.folder("changing", &files)])
    };
    assert!(deploy(&source("one")).stderr.contains("changing version 1 is active"));
    let second = deploy(&source("two"));
    assert!(second.stderr.contains("changing version 2 is active"), "{second:?}");
    assert_eq!(person.fine(&["invoke", "changing"]), "\"two\"\n");

    let broken = deploy("pub fn handler(");
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.stderr.contains("changing version 3 was not built"), "{broken:?}");
    assert_eq!(person.fine(&["invoke", "changing"]), "\"two\"\n", "the old one serves");

    person.fine(&["rollback", "changing", "1"]);
    assert_eq!(person.fine(&["invoke", "changing"]), "\"one\"\n");
    let versions = person.fine(&["functions", "versions", "changing"]);
    assert_eq!(versions.lines().count(), 3, "{versions}");
    assert!(versions.contains("1        succeeded  serves"), "{versions}");
    person.fine(&["functions", "delete", "changing"]);
    assert_eq!(person.run(&["invoke", "changing"]).code, Some(4));
}
