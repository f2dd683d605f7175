//! The files that start apprun elsewhere agree with the program: settings, ports, rights.

use std::collections::BTreeSet;

use system_tests::apprun;

use crate::{read, read_all};

/// Everything that sets variables of ours.
fn deployments() -> Vec<(String, String)> {
    let single = ["Dockerfile", "compose.yaml"].map(|name| (name.to_owned(), read(name)));
    single.into_iter().chain(read_all("kubernetes")).chain(read_all("systemd")).collect()
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_'
}

/// Words that begin with this prefix, in comments too: those are what a reader will copy.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let starts = text.match_indices(prefix).map(|(at, _)| &text[at..]);
    let word = |start: &str| start.chars().take_while(|it| is_of_name(*it)).collect::<String>();
    starts.map(word).filter(|word| word.len() > prefix.len()).collect()
}

#[test]
fn every_variable_in_a_deployment_is_a_setting() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("apprun.yaml");
    std::fs::write(&config, "").unwrap();
    for (file, text) in deployments() {
        let names = words(&text, "APPRUN_");
        let value =
            |name: &str| if name == "APPRUN_CONFIG" { config.to_str().unwrap() } else { "x" };
        let variables: Vec<_> = names.iter().map(|name| (name.as_str(), value(name))).collect();
        let asked = apprun(dir.path(), &["ready"], &variables);
        assert!(!asked.stderr.contains("unknown"), "{file}: {}", asked.stderr);
    }
    let asked = apprun(dir.path(), &["ready"], &[("APPRUN_API_SERVICE_HOST", "x")]);
    assert!(asked.stderr.contains("unknown environment variable"), "{asked:?}");
}

#[test]
fn ports_are_the_same_everywhere() {
    let ports = |text: &str, before: &str| -> BTreeSet<String> {
        let found = text.split(before).skip(1);
        let digits = |rest: &str| -> String {
            rest.chars()
                .skip_while(|it| !it.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect()
        };
        found.map(digits).collect()
    };
    let expect = |file: &str, before: &str, wanted: &[&str]| {
        let wanted: BTreeSet<_> = wanted.iter().map(|port| (*port).to_owned()).collect();
        assert_eq!(ports(&read(file), before), wanted, "after {before:?} in docker/{file}");
    };
    for file in ["Dockerfile", "compose.yaml", "kubernetes/api.yaml", "systemd/apprun-api.service"]
    {
        assert!(read(file).contains("0.0.0.0:8080"), "{file}");
    }
    for file in ["Dockerfile", "compose.yaml", "kubernetes/worker.yaml"] {
        assert!(read(file).contains("APPRUN_WORKER_HTTP_ADDR"), "{file}");
        assert!(read(file).contains("0.0.0.0:8081"), "{file}");
    }
    expect("Dockerfile", "EXPOSE 8080 ", &["8081"]);
    expect("compose.yaml", "127.0.0.1:8080:", &["8080"]);
    expect("kubernetes/api.yaml", "containerPort:", &["8080"]);
    expect("kubernetes/api.yaml", "prometheus.io/port:", &["8080"]);
    expect("kubernetes/worker.yaml", "containerPort:", &["8081"]);
    expect("kubernetes/worker.yaml", "prometheus.io/port:", &["8081"]);
    expect("prometheus/prometheus.yaml", "names: [api], type: A, port:", &["8080"]);
    expect("prometheus/prometheus.yaml", "names: [worker], type: A, port:", &["8081"]);
}

/// `tests/tests/privileges.rs` starts a worker with the rights that the document names.
#[test]
fn a_worker_is_given_the_rights_that_the_document_names() {
    let after = |text: &str, before: &str| -> BTreeSet<String> {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
        let line = rest.lines().next().unwrap().replace("CAP_", "");
        let names = line.split(|it| !is_of_name(it)).filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    };
    let document = include_str!("../../../docs/sandbox-privileges.md");
    let named = after(document, "CapabilityBoundingSet=");
    assert!(named.len() > 5, "{named:?}");
    for (file, before) in [
        ("compose.yaml", "cap_add: ["),
        ("kubernetes/worker.yaml", "add: ["),
        ("systemd/apprun-worker.service", "CapabilityBoundingSet="),
    ] {
        assert_eq!(after(&read(file), before), named, "{file}");
    }
}

#[test]
fn a_worker_is_given_the_memory_that_its_calls_and_builds_may_take() {
    // MiB: the most that a plan allows a call (shared/src/domain/plan.rs), what a build may take
    // (compiler/src/build.rs), the worker and the binaries it keeps (worker/src/runner.rs).
    const CALL: u32 = 512;
    const BUILD: u32 = 2048;
    const WORKER: u32 = 512;
    let number = |text: &str, before: &str| -> u32 {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
        let digits = rest.chars().skip_while(|it| !it.is_ascii_digit());
        digits.take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    for (file, before, unit) in [
        ("compose.yaml", "mem_limit: ${WORKER_MEMORY:-", "m}"),
        ("kubernetes/worker.yaml", "limits: { memory: ", "Mi }"),
    ] {
        let text = read(file);
        let (slots, builds) =
            (number(&text, "APPRUN_WORKER_SLOTS"), number(&text, "APPRUN_BUILD_SLOTS"));
        let limit = number(&text, before);
        assert!(text.contains(&format!("{before}{limit}{unit}")), "{file}: not in MiB");
        assert_eq!(limit, slots * CALL + builds * BUILD + WORKER, "{file}");
    }
}

#[test]
fn an_upgrade_leaves_as_many_workers_as_there_were() {
    assert!(read("compose.yaml").contains("\n    deploy: { replicas: \"${WORKERS:-1}\" }\n"));
    assert!(read("README.md").contains("\nWORKERS="));
}

#[test]
fn a_supervisor_never_gives_up_on_a_process_whose_database_is_away() {
    for file in ["systemd/apprun-api.service", "systemd/apprun-worker.service"] {
        let text = read(file);
        let unit = text.split("[Service]").next().unwrap();
        assert!(unit.contains("\nStartLimitIntervalSec=0\n"), "{file}");
    }
    for file in ["kubernetes/api.yaml", "kubernetes/worker.yaml"] {
        for probe in ["startupProbe", "livenessProbe"] {
            let asked = format!("{probe}: {{ httpGet: {{ path: /health,");
            assert!(read(file).contains(&asked), "{file}: {probe}");
        }
    }
}

#[test]
fn secrets_and_what_was_built_stay_out_of_images() {
    let ignored = read("Dockerfile.dockerignore");
    for path in ["/.git", "/docker/.env", "**/target"] {
        assert!(ignored.lines().any(|line| line == path), "{path}");
    }
}

#[test]
fn a_kustomization_names_files_that_are_there() {
    let kustomization = read("kubernetes/kustomization.yaml");
    let resources = kustomization.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let files: Vec<_> = resources.filter(|name| name.ends_with(".yaml")).collect();
    assert!(files.len() > 4, "{kustomization}");
    for file in files {
        read(&format!("kubernetes/{file}"));
    }
}
