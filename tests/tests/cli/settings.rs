//! What a manifest says beside the source, and the secrets that never stand in one.

use serde_json::json;
use system_tests::apprun;

use crate::person::Person;

const HANDLER: &str = "package main\n\nimport \"os\"\n\nfunc Handler(name string) (string, error) {\n\
                       \treturn os.Getenv(name), nil\n}\n";

fn mailer(person: &Person, manifest: &str) -> String {
    let manifest = format!("name: mailer\nruntime: go1.21\n{manifest}");
    person.folder("mailer", &[("function.yaml", &manifest), ("handler.go", HANDLER)])
}

#[test]
fn every_setting_of_a_manifest_arrives() {
    let person = Person::at_work();
    let folder = mailer(
        &person,
        "description: Sends\ntimeout: 7\nmemory: 64\ntrigger: event\nevents: [user.registered]\n\
         max_concurrency: 2\nretry:\n  max_retries: 3\n  initial_delay: 0.5\nenv:\n  PORT: 80\n",
    );
    person.fine(&["deploy", &folder]);
    let (envelope, _) = person.envelope(&["functions", "get", "mailer"]);
    let data = &envelope["data"];
    for (field, expected) in [
        ("description", json!("Sends")),
        ("timeout", json!(7)),
        ("memory", json!(64)),
        ("trigger", json!("event")),
        ("events", json!(["user.registered"])),
        ("max_concurrency", json!(2)),
        ("env", json!({ "PORT": "80" })),
    ] {
        assert_eq!(data[field], expected, "{field}");
    }
    assert_eq!(
        (&data["retry"]["max_retries"], &data["retry"]["initial_delay"]),
        (&json!(3), &json!(0.5))
    );
    let shown = person.fine(&["functions", "get", "mailer"]);
    assert!(
        shown.contains("variables     PORT\n") && shown.contains("at once       2\n"),
        "{shown}"
    );
    assert_eq!(person.fine(&["invoke", "mailer", "\"PORT\""]), "\"80\"\n");

    mailer(&person, "timeout: 700\n");
    let refused = person.run(&["deploy", &folder]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("timeout"), "{refused:?}");
}

#[test]
fn a_secret_comes_from_the_environment_and_its_value_is_shown_nowhere() {
    let person = Person::at_work();
    let folder = mailer(&person, "secrets: [SMTP_PASSWORD]\n");
    let refused = person.run(&["deploy", &folder]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
    assert!(refused.stderr.contains("no value for the secrets SMTP_PASSWORD"), "{refused:?}");

    let mut variables = person.variables().to_vec();
    variables.push(("SMTP_PASSWORD", "hunter2"));
    let deployed = apprun(person.home(), &["deploy", &folder], &variables);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    let call = ["invoke", "mailer", "\"SMTP_PASSWORD\""];
    assert_eq!(person.fine(&call), "\"hunter2\"\n");
    for line in [&["functions", "get", "mailer"][..], &["secrets", "list", "mailer"]] {
        let (envelope, _) = person.envelope(line);
        assert!(!envelope.to_string().contains("hunter2"), "{line:?}");
    }

    // Without the variable, what is set stays.
    person.fine(&["deploy", &folder]);
    assert_eq!(person.fine(&call), "\"hunter2\"\n");
}

#[test]
fn secrets_are_set_from_standard_input_listed_by_name_and_taken_away() {
    let person = Person::at_work();
    person.fine(&["deploy", &mailer(&person, "")]);
    let set = ["secrets", "set", "mailer", "KEY"];
    let done = person.run_reading(&set, "one\ntwo\n");
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{done:?}");
    assert!(done.stderr.contains("KEY is set: mailer version 2"), "{done:?}");
    assert_eq!(person.fine(&["invoke", "mailer", "\"KEY\""]), "\"one\\ntwo\"\n");
    assert_eq!(person.fine(&["secrets", "list", "mailer"]), "KEY\n");
    assert_eq!(person.run(&set).code, Some(2), "an empty input is no value");

    person.fine(&["secrets", "unset", "mailer", "KEY"]);
    assert_eq!(person.fine(&["invoke", "mailer", "\"KEY\""]), "\"\"\n");
    assert_eq!(person.fine(&["secrets", "list", "mailer"]), "");
    let reserved = person.run_reading(&["secrets", "set", "mailer", "APPRUN_X"], "v");
    assert_eq!(reserved.code, Some(2), "{reserved:?}");
}
