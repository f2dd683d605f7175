//! One trace from the caller through API, queue and worker into the function, as a collector sees it;
//! and a collector that is no use, which nobody may notice.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest, trace::v1::Span,
};
use prost::Message;
use serde_json::json;
use system_tests::{Client, Running};
use test_support::TestDatabase;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER_SPAN: &str = "b7ad6b7169203331";

const HANDLER: &str = r#"package main

import "os"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	return map[string]interface{}{"parent": os.Getenv("TRACEPARENT")}, nil
}
"#;

/// A collector that takes OTLP over HTTP and keeps each span under its service's name.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<(String, Span)>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let spans = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { url, spans }
    }

    /// The spans of the caller's trace, by service and name; each comes once.
    fn of_the_trace(&self) -> BTreeMap<String, Span> {
        let spans = self.spans.lock().unwrap();
        let ours = spans.iter().filter(|(_, span)| hex(&span.trace_id) == TRACE);
        let named = ours.map(|(service, span)| (format!("{service} {}", span.name), span.clone()));
        let named: Vec<_> = named.collect();
        let count = named.len();
        let named: BTreeMap<_, _> = named.into_iter().collect();
        assert_eq!(named.len(), count, "a span was told twice: {named:?}");
        named
    }
}

fn serve(stream: TcpStream, spans: &Mutex<Vec<(String, Span)>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line).unwrap_or_default() == 0 {
            return;
        }
        assert!(line.starts_with("POST /v1/traces "), "{line}");
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        for resource in request.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            let service = attributes.iter().find(|attribute| attribute.key == "service.name");
            let service = format!("{:?}", service.unwrap().value);
            let service = service.split('"').nth(1).unwrap().to_owned();
            let told = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.lock().unwrap().extend(told.map(|span| (service.clone(), span)));
        }
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(answer.as_bytes()).unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An API and a worker that tell this collector.
fn start(database: &TestDatabase, endpoint: &str) -> (Running, Running, String) {
    let dir = std::env::temp_dir();
    let variables = [("APPRUN_DATABASE_URL", database.url()), ("APPRUN_OTLP_ENDPOINT", endpoint)];
    let (api, url) = Running::api_with(&dir, database.url(), &[variables[1]]);
    let mut worker = Running::start(&dir, &["worker"], &variables);
    worker.wait_for_line("the worker takes jobs");
    (api, worker, url)
}

fn stop(processes: [&mut Running; 2]) {
    for process in processes {
        process.signal(Signal::SIGTERM);
        assert_eq!(process.wait().code(), Some(0));
        process.assert_nothing_left();
    }
}

#[test]
fn a_trace_goes_from_the_caller_through_api_and_worker_into_the_function() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let collector = Collector::start();
    let (mut api, mut worker, url) = start(&database, &collector.url);
    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy_go(HANDLER);

    let caller = client.sending(&format!("traceparent: 00-{TRACE}-{CALLER_SPAN}-01"));
    let path = format!("/api/v1/functions/{function}/invoke");
    let answer = caller.post(&path, &json!({ "input": {} }));
    assert_eq!(answer.status, 200, "{answer:?}");
    stop([&mut api, &mut worker]);

    let spans = collector.of_the_trace();
    let names: Vec<_> = spans.keys().map(String::as_str).collect();
    let request = "apprun-api POST /api/v1/functions/{function_id}/invoke";
    let of_worker = ["execute", "queue", "run", "setup", "store"];
    let of_worker = of_worker.map(|name| format!("apprun-worker {name}"));
    assert_eq!(names[0], request);
    assert_eq!(names[1..], of_worker);
    let parent = |name: &str| hex(&spans[name].parent_span_id);
    let id = |name: &str| hex(&spans[name].span_id);
    assert_eq!(parent(request), CALLER_SPAN);
    assert_eq!(parent("apprun-worker execute"), id(request));
    assert_eq!(parent("apprun-worker queue"), id(request));
    for part in ["setup", "run", "store"] {
        assert_eq!(parent(&format!("apprun-worker {part}")), id("apprun-worker execute"));
    }
    // What the caller gets back is our span; what the function gets is its own.
    assert_eq!(answer.header("traceparent"), format!("00-{TRACE}-{}-01", id(request)));
    let given = &answer.body["data"]["output"]["parent"];
    assert_eq!(*given, format!("00-{TRACE}-{}-01", id("apprun-worker run")));
}

#[test]
fn a_build_is_told_in_the_trace_of_the_request_that_asked_for_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    let collector = Collector::start();
    let (mut api, mut worker, url) = start(&database, &collector.url);
    let client = Client::signed_up(&url, "ann@example.com");

    // The requests that follow the build share the caller's span, so only the build is looked at.
    client.sending(&format!("traceparent: 00-{TRACE}-{CALLER_SPAN}-01")).deploy_go(HANDLER);
    stop([&mut api, &mut worker]);

    let spans = collector.spans.lock().unwrap();
    let find = |name: &str| {
        let found = spans.iter().find(|(_, span)| span.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).1.clone()
    };
    let (build, compile) = (find("build"), find("compile"));
    assert_eq!(hex(&build.trace_id), TRACE);
    assert_eq!(build.parent_span_id, find("POST /api/v1/functions").span_id);
    assert_eq!(compile.parent_span_id, build.span_id);
}

#[test]
fn a_collector_that_never_answers_holds_up_nobody() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(TestDatabase::create());
    // Takes connections into its backlog, and that is all.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut api, mut worker, url) =
        start(&database, &format!("http://{}", deaf.local_addr().unwrap()));
    let client = Client::signed_up(&url, "ann@example.com");

    let function = client.deploy();
    assert_eq!(client.call(&function)["status"], "completed");

    stop([&mut api, &mut worker]);
}
