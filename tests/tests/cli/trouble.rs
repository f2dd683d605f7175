//! A server that is busy is waited for, and calls that failed for good are found again.

use std::thread;

use system_tests::apprun;

use crate::person::{Person, example};

#[test]
fn a_call_beyond_the_limit_is_made_again_when_the_server_says() {
    let person = Person::at_work();
    let code = std::fs::read_to_string(format!("{}/handler.go", example("go-sleep"))).unwrap();
    let manifest = "name: nap\nruntime: go1.21\nmax_concurrency: 1\n";
    let folder = person.folder("nap", &[("function.yaml", manifest), ("handler.go", &code)]);
    person.fine(&["deploy", &folder]);

    let nap = r#"{"seconds":3}"#;
    let done: Vec<_> = thread::scope(|scope| {
        let first = scope.spawn(|| person.run(&["invoke", "nap", nap]));
        // Two that come at the same moment are both let in, and take turns.
        while person.fine(&["executions", "list", "nap", "--status", "running"]).is_empty() {}
        let second = person.run(&["invoke", "nap", nap]);
        [first.join().unwrap(), second].into()
    });
    assert!(done.iter().all(|call| call.stdout == "{\"slept_seconds\":3}\n"), "{done:?}");
    let waited = done.iter().filter(|call| call.stderr.contains("trying again in"));
    assert_eq!(waited.count(), 1, "{done:?}");
}

#[test]
fn calls_that_failed_for_good_are_listed_run_again_and_put_away() {
    let person = Person::at_work();
    person.fine(&["deploy", &example("go-hello")]);
    let failed = |input: &str| {
        let queued = person.fine(&["invoke", "go-hello", input, "--async"]);
        let id = queued.trim_end().to_owned();
        assert_eq!(person.run(&["executions", "get", &id, "--wait"]).code, Some(1));
        id
    };
    let (one, two) = (failed("{}"), failed("7"));
    let listed = person.fine(&["dead-letters", "list", "--function", "go-hello"]);
    assert!(listed.contains(&one) && listed.contains(&two), "{listed}");

    let unsaid = person.run(&["dead-letters", "purge"]);
    assert_eq!(unsaid.code, Some(2), "nothing said is not everything: {unsaid:?}");
    let dry = person.run(&["dead-letters", "redrive", "--all", "--dry-run"]);
    assert!(dry.stderr.contains("2 of 2 would be dealt with"), "{dry:?}");
    let again = person.fine(&["dead-letters", "redrive", &one]);
    assert!(again.starts_with("exec-") && again.trim_end() != one, "{again}");
    assert_eq!(person.run(&["executions", "get", again.trim_end(), "--wait"]).code, Some(1));

    person.fine(&["dead-letters", "purge", "--all"]);
    assert_eq!(person.fine(&["dead-letters", "list"]), "");
}

#[test]
fn a_build_that_nobody_can_do_says_what_is_missing() {
    // Nothing is there, so this server's worker has no Rust.
    let person = Person::at_work_with("compiler: {rust_root: /nowhere}\n");
    let code = "pub fn handler(input: i64) -> Result<i64, String> { Ok(input) }\n";
    let manifest = "name: ahead\nruntime: rust\n";
    let folder = person.folder("ahead", &[("function.yaml", manifest), ("handler.rs", code)]);
    let line = ["deploy", &folder];
    let mut deploy = system_tests::Running::start(person.home(), &line, &person.variables());
    deploy.wait_for_line("no worker has rust");
    drop(deploy);
    let shown = apprun(person.home(), &["functions", "get", "ahead"], &person.variables());
    assert!(shown.stdout.contains("no worker has rust"), "{shown:?}");
}
