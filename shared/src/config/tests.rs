//! What an operator may rely on when a value is set in several places, or wrongly.

use std::{io::Write, net::SocketAddr, path::PathBuf};

use super::{ArtifactLocation, Config, Retention, SETTINGS, Sources};
use crate::domain::{Plan, PlanLimits};

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The problems of a configuration that consists of this file, with the file's own name taken out.
fn problems_of_file(text: &str) -> Vec<String> {
    let file = file(text);
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let name = file.path().display().to_string();
    let problems = Config::load(sources).unwrap_err().problems;
    problems.into_iter().map(|problem| problem.replace(&name, "FILE")).collect()
}

fn problems_of_variables(pairs: &[(&str, &str)]) -> Vec<String> {
    let sources = Sources { variables: variables(pairs), ..Sources::default() };
    Config::load(sources).unwrap_err().problems
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let config = Config::load(Sources::default()).unwrap();
    assert_eq!(config.log_format, None, "whoever reads it decides");
    assert_eq!(config.http_addr, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert_eq!(config.worker_http_addr, None);
    assert_eq!(config.default_plan, Plan::Free);
    assert_eq!(config.registration, None, "dev and api have defaults of their own");
    let limits = config.rate_limits.unwrap();
    assert_eq!([limits.free, limits.paid, limits.enterprise], [100, 1_000, 10_000]);
    assert!(config.data_dir.is_absolute() && config.data_dir.ends_with(".apprun"));
    assert_eq!(config.functions.default_timeout_seconds, 30);
    assert_eq!(config.functions.payloads.log_bytes, 256 * 1024);
    assert_eq!(config.retention, Retention::default());
}

#[test]
fn what_the_commands_of_people_read_is_no_mistake() {
    let clients =
        variables(&[("APPRUN_SERVER", "x"), ("APPRUN_TOKEN", "x"), ("APPRUN_PASSWORD", "x")]);
    let sources = Sources { variables: clients, ..Sources::default() };
    assert!(Config::load(sources).is_ok());
}

#[test]
fn the_functions_chapter_reads_as_the_contract_writes_it() {
    let file = file(
        "functions:\n  runtime: {binary_dir: /b, temp_dir: /t}\n  limits: {default_timeout: 10, \
         max_timeout: 20, default_memory: 64, max_memory: 256, max_concurrent: 7}\n  logging: \
         {retention_days: 3}\n",
    );
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let Config { functions, retention, artifact_store, .. } = Config::load(sources).unwrap();
    assert_eq!(artifact_store, ArtifactLocation::Directory(PathBuf::from("/b")));
    assert_eq!(functions.temp_dir, Some(PathBuf::from("/t")));
    assert_eq!(retention, Retention { logs: 3, ..Retention::default() });
    let paid = functions.limits_of(Plan::Paid);
    assert_eq!((paid.timeout_seconds, paid.memory_mib, paid.concurrent_executions), (20, 256, 7));
    assert_eq!(functions.limits_of(Plan::Free).memory_mib, 128, "the plan's own number is lower");
}

#[test]
fn each_plan_allows_what_the_operator_writes_below_the_ceilings() {
    let file = file(
        "functions:\n  limits: {max_timeout: 900, max_concurrent: 50}\n  plans:\n    \
         free: {timeout: 10, memory: 64, concurrent: 2, functions: 3}\n    \
         enterprise: {timeout: 900, concurrent: 0, functions: 0}\n",
    );
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let Config { functions, .. } = Config::load(sources).unwrap();
    let requests_per_minute = Plan::Free.limits().requests_per_minute;
    let free = PlanLimits {
        timeout_seconds: 10,
        memory_mib: 64,
        concurrent_executions: 2,
        functions: Some(3),
        requests_per_minute,
    };
    assert_eq!(functions.limits_of(Plan::Free), free);
    let paid = PlanLimits { concurrent_executions: 50, ..Plan::Paid.limits() };
    assert_eq!(functions.limits_of(Plan::Paid), paid, "the contract's, below the ceiling");
    let enterprise = functions.limits_of(Plan::Enterprise);
    assert_eq!((enterprise.timeout_seconds, enterprise.memory_mib), (900, 512));
    assert_eq!((enterprise.concurrent_executions, enterprise.functions), (50, None));
    assert_eq!(
        problems_of_file("functions:\n  plans:\n    paid: {timeout: 301}\n"),
        ["functions.plans.paid.timeout = \"301\" (FILE:3): must be a whole number from 1 to 300"]
    );
}

#[test]
fn an_outside_issuer_is_configured_whole_or_not_at_all() {
    let url = ("APPRUN_AUTH_JWKS_URL", "https://login.example.com/keys");
    let issuer = ("APPRUN_AUTH_ISSUER", "https://login.example.com");
    let audience = ("APPRUN_AUTH_AUDIENCE", "apprun");
    let whole = Sources { variables: variables(&[url, issuer, audience]), ..Sources::default() };
    let outside = Config::load(whole).unwrap().outside_issuer.unwrap();
    assert_eq!(outside.jwks_url, "https://login.example.com/keys");
    assert_eq!((outside.issuer.as_str(), outside.audience.as_str()), (issuer.1, audience.1));
    assert_eq!(Config::load(Sources::default()).unwrap().outside_issuer, None);
    for part in [&[url][..], &[issuer], &[audience], &[url, issuer], &[issuer, audience]] {
        let problems = problems_of_variables(part);
        assert!(problems[0].contains("must be set together"), "{problems:?}");
    }
}

#[test]
fn a_worker_builds_at_least_one_thing_at_a_time() {
    assert!(Config::load(Sources::default()).unwrap().build_slots >= 1);
    assert_eq!(
        problems_of_variables(&[("APPRUN_BUILD_SLOTS", "0")]),
        ["build_slots = \"0\" (APPRUN_BUILD_SLOTS): must be a whole number from 1 to 64"]
    );
}

#[test]
fn a_flag_outweighs_a_variable_and_a_variable_the_file() {
    let file = file("http_addr: 127.0.0.1:1\nworker_slots: 1\nlog: file\n");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        variables: variables(&[("APPRUN_HTTP_ADDR", "127.0.0.1:2"), ("APPRUN_WORKER_SLOTS", "2")]),
        flags: vec![("http_addr", "127.0.0.1:3".to_owned())],
    };
    let config = Config::load(sources).unwrap();
    assert_eq!(config.http_addr.port(), 3);
    assert_eq!(config.worker_slots, 2);
    assert_eq!(config.log, "file");
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    assert_eq!(
        problems_of_file("log: info\nfunctions:\n  limits:\n    max_timout: 3\n"),
        ["FILE:4: unknown key functions.limits.max_timout; did you mean \
          functions.limits.max_timeout?"]
    );
    assert_eq!(problems_of_file("zzz: 1\n"), ["FILE:1: unknown key zzz"]);
}

#[test]
fn an_unknown_variable_of_ours_is_refused_and_others_are_left_alone() {
    assert_eq!(
        problems_of_variables(&[("APPRUN_HTTP_ADR", "x"), ("HTTP_ADDR", "x")]),
        ["unknown environment variable APPRUN_HTTP_ADR; did you mean APPRUN_HTTP_ADDR?"]
    );
}

#[test]
fn every_wrong_value_is_named_at_once_with_its_origin_and_what_is_allowed() {
    let found = problems_of_variables(&[
        ("APPRUN_HTTP_ADDR", "8080"),
        ("APPRUN_WORKER_SLOTS", "0"),
        ("APPRUN_DEFAULT_PLAN", "gold"),
        ("APPRUN_RATE_LIMIT", "no"),
        ("APPRUN_ARTIFACT_STORE", "ftp://x"),
    ]);
    assert_eq!(
        found,
        [
            "http_addr = \"8080\" (APPRUN_HTTP_ADDR): must be an address and a port, as in \
             127.0.0.1:8080 or [::]:8080",
            "worker_slots = \"0\" (APPRUN_WORKER_SLOTS): must be a whole number from 1 to 1024",
            "default_plan = \"gold\" (APPRUN_DEFAULT_PLAN): must be one of: free, paid, \
             enterprise; found 'gold'",
            "rate_limit = \"no\" (APPRUN_RATE_LIMIT): must be on or off",
            "artifact_store = \"ftp://x\" (APPRUN_ARTIFACT_STORE): must be file:///directory or \
             s3://bucket/prefix",
        ]
    );
}

#[test]
fn a_default_over_its_own_maximum_is_refused() {
    assert_eq!(
        problems_of_file("functions: {limits: {default_memory: 1024}}\n"),
        ["functions.limits.default_memory = 1024 is over functions.limits.max_memory = 512"]
    );
}

#[test]
fn a_secret_shows_neither_in_messages_nor_in_debug_output() {
    let found =
        problems_of_variables(&[("APPRUN_JWT_SECRET", "hunter2"), ("APPRUN_DATABASE_URL", "pw")]);
    assert_eq!(
        found,
        [
            "database_url (APPRUN_DATABASE_URL): must be a URL that starts with postgres:// or \
             postgresql://",
            "jwt_secret (APPRUN_JWT_SECRET): must have 32 bytes or more, has 7",
        ]
    );

    let url = "postgres://user:hunter2@db/apprun";
    let sources =
        Sources { variables: variables(&[("APPRUN_DATABASE_URL", url)]), ..Sources::default() };
    let config = Config::load(sources).unwrap();
    assert_eq!(config.database_url.as_ref().unwrap().expose(), url);
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_is_not_a_mapping_of_plain_values_is_refused_by_line() {
    for (text, problem) in [
        ("log: [a]\n", "FILE:1: a list is not expected here"),
        ("log: a\nlog: b\n", "FILE:2: log was already set in line 1"),
        ("log: a\n---\nlog: b\n", "FILE:2: a second document is not expected"),
        ("log: &x a\nhttp_addr: *x\n", "FILE:2: aliases are not supported"),
        ("just a text\n", "FILE:1: a key with a value is expected"),
    ] {
        assert_eq!(problems_of_file(text), [problem], "{text}");
    }
    assert!(problems_of_file("a: 'open\n")[0].starts_with("FILE:"), "broken YAML");
}

#[test]
fn empty_values_count_as_unset() {
    let file = file("# nothing yet\nredis_url:\nnats_url: ~\n");
    let sources = Sources {
        file: Some(file.path().to_owned()),
        variables: variables(&[("APPRUN_REDIS_URL", "")]),
        ..Sources::default()
    };
    assert_eq!(Config::load(sources).unwrap().redis_url, None);
}

#[test]
fn a_named_file_must_exist() {
    let sources = Sources { file: Some(PathBuf::from("/nowhere/a.yaml")), ..Sources::default() };
    let problems = Config::load(sources).unwrap_err().problems;
    assert_eq!(problems, ["/nowhere/a.yaml: No such file or directory (os error 2)"]);
}

#[test]
fn an_artifact_store_is_a_directory_or_a_bucket() {
    let location = |text: &str| {
        let sources = Sources {
            variables: variables(&[("APPRUN_ARTIFACT_STORE", text)]),
            ..Sources::default()
        };
        Config::load(sources).unwrap().artifact_store
    };
    assert_eq!(location("file:///srv/a"), ArtifactLocation::Directory(PathBuf::from("/srv/a")));
    let bucket = |prefix: &str| ArtifactLocation::S3 {
        bucket: "bucket".to_owned(),
        prefix: prefix.to_owned(),
    };
    assert_eq!(location("s3://bucket"), bucket(""));
    assert_eq!(location("s3://bucket/a/b/"), bucket("a/b"));
}

#[test]
fn every_setting_of_a_script_has_the_promised_names() {
    let promised = [
        "APPRUN_DATABASE_URL",
        "APPRUN_HTTP_ADDR",
        "APPRUN_WORKER_HTTP_ADDR",
        "APPRUN_DATA_DIR",
        "APPRUN_JWT_SECRET",
        "APPRUN_WORKER_SLOTS",
        "APPRUN_DEFAULT_PLAN",
        "APPRUN_RATE_LIMIT",
        "APPRUN_REGISTRATION",
        "APPRUN_LOG",
        "APPRUN_ARTIFACT_STORE",
        "APPRUN_REDIS_URL",
        "APPRUN_NATS_URL",
        "APPRUN_POSTGRES_BIN",
    ];
    let known: Vec<_> = SETTINGS.iter().filter_map(|setting| setting.variable).collect();
    for name in promised {
        assert!(known.contains(&name), "{name}");
    }
    for setting in SETTINGS {
        let expected = setting.variable.map(|name| name["APPRUN_".len()..].to_lowercase());
        // A chapter's name goes in front where the last part alone says too little.
        let last = setting.key.rsplit('.').next().map(str::to_owned);
        let names = [last, Some(setting.key.replace('.', "_"))];
        assert!(expected.is_none() || names.contains(&expected), "{}", setting.key);
    }
}
