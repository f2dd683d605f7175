//! Logs: history first, then what comes.

use system_tests::Running;

use crate::person::{Person, example};

#[test]
fn logs_show_history_before_they_follow() {
    let person = Person::at_work();
    person.fine(&["deploy", &example("go-hello")]);
    for name in ["one", "two"] {
        person.fine(&["invoke", "go-hello", &format!(r#"{{"name":"{name}"}}"#)]);
    }
    let history = person.fine(&["logs", "go-hello"]);
    let lines: Vec<_> = history.lines().collect();
    assert!(lines[0].ends_with("greeting one") && lines[1].ends_with("greeting two"), "{history}");

    let line = ["logs", "-f", "--limit", "1", "go-hello"];
    let mut logs = Running::start(person.home(), &line, &person.variables());
    logs.wait_for_line("greeting two");
    person.fine(&["invoke", "go-hello", r#"{"name":"three"}"#]);
    logs.wait_for_line("greeting three");
    let seen = logs.seen();
    assert!(!seen.iter().any(|line| line.contains("greeting one")), "{seen:?}");
    assert_eq!(seen.iter().filter(|line| line.contains("greeting two")).count(), 1, "{seen:?}");
}

#[test]
fn logs_go_on_when_the_server_was_away() {
    let mut person = Person::at_work();
    person.fine(&["deploy", &example("go-hello")]);
    person.fine(&["invoke", "go-hello", r#"{"name":"one"}"#]);
    let line = ["logs", "-f", "go-hello"];
    let mut logs = Running::start(person.home(), &line, &person.variables());
    logs.wait_for_line("greeting one");
    person.restart_server(|| drop(logs.wait_for_line("trying again")));
    person.fine(&["invoke", "go-hello", r#"{"name":"two"}"#]);
    logs.wait_for_line("greeting two");
    let seen = logs.seen();
    assert_eq!(seen.iter().filter(|line| line.contains("greeting one")).count(), 1, "{seen:?}");
}
