//! The dashboard, the alerts and the scaling rule ask for metrics that exist, by labels that exist.

use std::collections::BTreeSet;

use serde_json::Value;
use system_tests::{Client, Running};
use test_support::TestDatabase;

use crate::read;

/// Words of PromQL that are no metric. Functions are known by their parenthesis.
const KEYWORDS: &[&str] = &["and", "or", "unless", "by", "without", "on", "ignoring", "bool"];
/// What Prometheus itself adds.
const OF_PROMETHEUS: &[&str] = &["up", "job", "instance", "le"];

const FAILING: &str = r#"package main

import "errors"

func Handler(input any) (any, error) { return nil, errors.New("as always") }
"#;

/// Metrics and labels.
#[derive(Debug, Default)]
struct Names {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

/// Every expression that somebody will evaluate.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana/apprun.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let shown = targets.map(|target| target["expr"].as_str().unwrap().to_owned());
    let mut found: Vec<_> = shown.collect();
    for (file, before) in [
        ("prometheus/alerts.yaml", "expr: "),
        ("kubernetes/prometheus-adapter.yaml", "Query: "),
        ("kubernetes/worker-scaling.yaml", "metric: { name: "),
    ] {
        let text = read(file);
        let lines = text.lines().filter_map(|line| line.split_once(before));
        let count = found.len();
        found.extend(lines.map(|(_, rest)| rest.trim_end_matches([' ', '}']).to_owned()));
        assert!(found.len() > count, "{file}");
    }
    found
}

/// The names in an expression. What stands in braces, or in parentheses after `by`, are labels.
fn names_in(expression: &str, names: &mut Names) {
    let is_of_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let (mut rest, mut in_labels, mut after_by) = (expression, false, false);
    while let Some(first) = rest.chars().next() {
        match first {
            '"' => rest = rest[1..].split_once('"').unwrap().1,
            '[' => rest = rest.split_once(']').unwrap().1,
            '{' | '}' | '(' | ')' => {
                in_labels = first == '{' || (first == '(' && after_by);
                after_by = false;
                rest = &rest[1..];
            }
            _ if is_of_word(first) => {
                let length = rest.find(|it| !is_of_word(it)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(length);
                let is_function = behind.starts_with('(') || behind.starts_with(" by ");
                after_by |= word == "by" || word == "ignoring";
                if in_labels {
                    names.labels.insert(word.to_owned());
                } else if !first.is_ascii_digit() && !is_function && !KEYWORDS.contains(&word) {
                    names.metrics.insert(word.to_owned());
                }
                rest = behind;
            }
            other => rest = &rest[other.len_utf8()..],
        }
    }
}

/// The names in a scrape: of families too that have no sample yet.
fn names_scraped(text: &str, names: &mut Names) {
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            let endings: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_count", "_sum"],
                _ => &[""],
            };
            names.metrics.extend(endings.iter().map(|ending| format!("{name}{ending}")));
        } else if let Some((_, labels)) = line.split_once('{') {
            let found = labels.split(['{', ',']).filter_map(|label| label.split_once("=\""));
            names.labels.extend(found.map(|(label, _)| label.to_owned()));
        }
    }
}

/// Metrics of an API and a worker that have done a little of everything.
fn scraped(database: &TestDatabase) -> Names {
    let dir = tempfile::tempdir().unwrap();
    let (_api, url) = Running::api(dir.path(), database.url());
    let variables =
        [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_WORKER_HTTP_ADDR", "127.0.0.1:0")];
    // It lacks one right, so that what it says about missing layers is seen as well.
    let starter = ["setpriv", "--bounding-set=-fowner"];
    let arguments = ["worker", "--allow-degraded", "privileges"];
    let mut worker = Running::start_through(&starter, dir.path(), &arguments, &variables);
    let line = worker.wait_for_line("health and metrics are served");
    let line: Value = serde_json::from_str(&line).unwrap();
    let worker_url = format!("http://{}", line["address"].as_str().unwrap());

    let client = Client::signed_up(&url, "ann@example.com");
    assert_eq!(client.call(&client.deploy_go(FAILING))["status"], "failed");
    client.get("/nothing");
    let mut names = Names::default();
    for server in [&url, &worker_url] {
        names_scraped(&Client::new(server).text("/metrics"), &mut names);
    }
    names
}

#[test]
fn dashboard_alerts_and_scaling_ask_for_metrics_that_exist() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let there = scraped(&database);
    let mut asked = Names::default();
    for expression in expressions() {
        names_in(&expression, &mut asked);
    }
    let ours = |names: &BTreeSet<String>, there: &BTreeSet<String>| -> Vec<String> {
        let missing = names.difference(there);
        missing.filter(|name| !OF_PROMETHEUS.contains(&name.as_str())).cloned().collect()
    };
    assert!(asked.metrics.len() > 15, "{asked:?}");
    assert_eq!(ours(&asked.metrics, &there.metrics), [""; 0], "there are {:?}", there.metrics);
    assert_eq!(ours(&asked.labels, &there.labels), [""; 0], "there are {:?}", there.labels);
}

#[test]
fn whatever_scrapes_a_process_its_job_is_the_one_that_alerts_ask_for() {
    let (alerts, dashboard) = (read("prometheus/alerts.yaml"), read("grafana/apprun.json"));
    assert!(dashboard.contains(r#"up{job=~\"apprun-.*\"}"#), "{dashboard}");
    let in_cluster = read("prometheus/kubernetes.yaml");
    let becomes_job = "source_labels: [__meta_kubernetes_pod_label_app]\n      target_label: job";
    assert!(in_cluster.contains(becomes_job), "{in_cluster}");
    for role in ["api", "worker"] {
        assert!(alerts.contains(&format!(r#"up{{job="apprun-{role}"}}"#)), "{role}");
        assert!(read("prometheus/prometheus.yaml").contains(&format!("job_name: apprun-{role}")));
        let manifest = read(&format!("kubernetes/{role}.yaml"));
        assert!(manifest.contains(&format!("labels: {{ app: apprun-{role} }}\n      annotations")));
    }
}
