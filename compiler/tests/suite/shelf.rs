//! One tiny project per fact. The folder's name under `tests/projects` is the test's name; its
//! `expect` file says what must become of it, the rest is the source.
//!
//! Lines of `expect`: `runtime go1.21` · `warning <text>` · `fails <reason>` · `diagnostic <text>` (the
//! start of one) · `log-lacks <text>` · `call <input>` followed by `output <json>`, `<reason>
//! <part of the message>`, `stderr <text>` or `env NAME=value` (which comes before its call).

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use compiler::{BuildOutcome, FunctionResult, interpret};
use sandbox::Outcome;

use crate::common::{Workshop, binary, folder_source};

macro_rules! shelf {
    ($($name:ident)*) => {
        $(#[tokio::test] async fn $name() { check(stringify!($name)).await; })*

        #[test]
        fn every_project_is_a_test() {
            let tests = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let projects = fs::read_dir(projects()).unwrap();
            let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
            assert_eq!(projects.map(|entry| name(entry.unwrap())).collect::<BTreeSet<_>>(), tests);
        }
    };
}

shelf! {
    go_hello
    rust_hello
}

fn projects() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects")
}

async fn check(name: &str) {
    let folder = projects().join(name);
    let expect = fs::read_to_string(folder.join("expect")).unwrap();
    let steps: Vec<(&str, &str)> = expect
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .collect();
    let value = |key: &str| steps.iter().find(|step| step.0 == key).map(|step| step.1);
    let workshop = Workshop::open().await;
    let outcome = workshop.build(value("runtime").unwrap(), &folder_source(&folder)).await;
    check_build(&steps, &outcome);
    if value("fails").is_none() {
        check_calls(&workshop, &steps, &binary(outcome)).await;
    }
    workshop.close().await;
}

fn check_build(steps: &[(&str, &str)], outcome: &BuildOutcome) {
    let (reason, diagnostics, log) = match outcome {
        BuildOutcome::Built(built) => (None, &built.diagnostics, &built.log),
        BuildOutcome::Failed(failed) => {
            (Some(failed.reason.as_str()), &failed.diagnostics, &failed.log)
        }
    };
    let expected = steps.iter().find(|step| step.0 == "fails").map(|step| step.1);
    assert_eq!(reason, expected, "{outcome:#?}");
    let diagnostics: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    for (key, text) in steps {
        match *key {
            "diagnostic" => {
                let found = diagnostics.iter().any(|line| line.starts_with(text));
                assert!(found, "{text:?} is not in {diagnostics:#?}\n{}", log.text);
            }
            "log-lacks" => assert!(!log.text.contains(text), "{}", log.text),
            _ => {}
        }
    }
}

async fn check_calls(workshop: &Workshop, steps: &[(&str, &str)], binary: &[u8]) {
    let mut env = Vec::new();
    let mut last: Option<(&str, Outcome)> = None;
    for (key, text) in steps {
        match *key {
            "runtime" | "diagnostic" | "log-lacks" => {}
            "env" => env.push(text.split_once('=').unwrap()),
            "call" => last = Some((text, workshop.call(binary, text, &env).await)),
            "stderr" => {
                let (input, outcome) = last.as_ref().unwrap();
                let log = String::from_utf8_lossy(&outcome.stderr);
                assert!(log.contains(text), "{input}: {text:?} is not in {log}");
            }
            _ => {
                let (input, outcome) = last.as_ref().unwrap();
                check_result(key, text, input, &interpret(outcome));
            }
        }
    }
}

fn check_result(key: &str, text: &str, input: &str, result: &FunctionResult) {
    match result {
        FunctionResult::Completed { output } => {
            assert_eq!((key, text), ("output", output.as_str()), "{input}");
        }
        FunctionResult::Failed { reason, message } => {
            assert_eq!(reason.as_str(), key, "{input}: {message}");
            assert!(message.contains(text), "{input}: {text:?} is not in {message:?}");
        }
    }
}
