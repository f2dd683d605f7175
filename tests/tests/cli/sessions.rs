//! Logging in, staying logged in, and machines that never do.

use std::{fs, os::unix::fs::PermissionsExt, thread};

use serde_json::{Value, json};

use crate::person::{EMAIL, PASSWORD, Person};

fn saved(person: &Person) -> Value {
    serde_json::from_slice(&fs::read(person.credentials()).unwrap()).unwrap()
}

#[test]
fn a_login_is_kept_for_its_owner_alone_and_forgotten_on_logout() {
    let person = Person::with_server();
    let line = ["login", "--register", "--email", EMAIL, "--password-stdin"];
    let done = person.run_reading(&line, &format!("{PASSWORD}\n"));
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{done:?}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&person.credentials()), 0o600);
    assert_eq!(mode(person.credentials().parent().unwrap()), 0o700);
    assert!(person.fine(&["whoami"]).contains(EMAIL));

    person.fine(&["logout"]);
    assert_eq!(person.run(&["whoami"]).code, Some(3));
    assert_eq!(saved(&person)["logins"], json!({}));
}

#[test]
fn a_wrong_password_is_refused_and_nothing_is_kept() {
    let person = Person::with_server();
    let line = ["login", "--email", EMAIL, "--password-stdin"];
    let refused = person.run_reading(&line, "wrong but long enough\n");
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(!person.credentials().exists());
}

#[test]
fn a_login_never_prints_a_token() {
    let person = Person::with_server();
    let (envelope, code) = person.envelope(&["login", "--register", "--email", EMAIL]);
    assert_eq!((code, envelope["data"]["email"].as_str()), (Some(0), Some(EMAIL)));
    let token = saved(&person)["logins"][&person.server]["access_token"].clone();
    assert!(!envelope.to_string().contains(token.as_str().unwrap()));
}

#[test]
fn commands_at_the_same_time_renew_one_session_once() {
    let person = Person::at_work();
    let mut contents = saved(&person);
    let before = contents["logins"][&person.server]["refresh_token"].clone();
    contents["logins"][&person.server]["expires_at"] = json!(0);
    fs::write(person.credentials(), contents.to_string()).unwrap();

    let outputs: Vec<_> = thread::scope(|scope| {
        let commands: Vec<_> =
            (0..6).map(|_| scope.spawn(|| person.fine(&["project", "list"]))).collect();
        commands.into_iter().map(|command| command.join().unwrap()).collect()
    });

    assert!(outputs.iter().all(|output| output.contains("tour")), "{outputs:?}");
    let after = saved(&person)["logins"][&person.server].clone();
    assert_ne!(after["refresh_token"], before);
    assert_eq!(after["project"]["name"], "tour", "the choice survived the renewal");
    assert!(person.fine(&["whoami"]).contains(EMAIL));
}

#[test]
fn a_token_serves_every_command_without_a_login() {
    let person = Person::at_work();
    let made = person.run(&["tokens", "create", "ci"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let token = made.stdout.trim_end();
    assert!(token.starts_with("apprun_pt_"), "{made:?}");
    assert!(!made.stderr.contains(token));

    let machine = person.neighbour();
    let run = |line: &[&str]| {
        let mut variables = machine.variables().to_vec();
        variables.push(("APPRUN_TOKEN", token));
        system_tests::apprun(machine.home(), line, &variables)
    };
    for line in [&["whoami"][..], &["functions", "list"], &["project", "list"]] {
        let done = run(line);
        assert_eq!(done.code, Some(0), "{line:?}: {done:?}");
    }
    assert!(!machine.credentials().exists(), "a machine leaves nothing behind");

    let listed = person.fine(&["tokens", "list"]);
    let id = listed.split_whitespace().next().unwrap();
    person.fine(&["tokens", "revoke", id]);
    assert_eq!(run(&["whoami"]).code, Some(3));
}
