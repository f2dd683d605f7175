//! Every API and worker is replaced, one after the other, while calls come in.

use std::{
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use nix::sys::signal::Signal;
use serde_json::json;
use system_tests::{Client, Running, until};
use test_support::TestDatabase;

use super::{SLEEPER, count, database, ended, start_worker};

const CALLERS: usize = 4;

/// The APIs behind a load balancer that tries the next one when a connection is refused.
#[derive(Debug)]
struct Balancer {
    urls: Mutex<Vec<String>>,
    next: AtomicUsize,
}

impl Balancer {
    fn url(&self) -> String {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let urls = self.urls.lock().unwrap();
        urls[turn % urls.len()].clone()
    }

    /// Where somebody accepts connections. One that is accepted is answered, or the test fails.
    fn open(&self) -> String {
        loop {
            let url = self.url();
            if std::net::TcpStream::connect(url.trim_start_matches("http://")).is_ok() {
                return url;
            }
        }
    }

    fn replace(&self, old: &str, new: &str) {
        let mut urls = self.urls.lock().unwrap();
        urls.retain(|url| url != old);
        urls.push(new.to_owned());
    }
}

/// Calls a function in turn with and without waiting until told to stop; the ids of what was accepted.
fn call_until(
    stop: &AtomicBool,
    balancer: &Balancer,
    client: &Client,
    function: &str,
) -> Vec<String> {
    let mut accepted = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for way in ["invoke", "invoke-async"] {
            let path = format!("/api/v1/functions/{function}/{way}");
            let input = json!({ "input": { "Milliseconds": 20 } });
            let answer = client.at(&balancer.open()).post(&path, &input);
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
            let id = answer.body["data"]["execution_id"].as_str().unwrap();
            accepted.push(id.to_owned());
        }
    }
    accepted
}

/// Starts a new one first, as a rolling update does.
fn replace_api(
    dir: &Path,
    database: &TestDatabase,
    balancer: &Balancer,
    old: &mut (Running, String),
) {
    let mut new = start_api(dir, database);
    balancer.replace(&old.1, &new.1);
    std::mem::swap(old, &mut new);
    new.0.signal(Signal::SIGTERM);
    assert_eq!(new.0.wait().code(), Some(0));
}

/// A delay of one second: a caller that chose this API a moment ago still gets in.
fn start_api(dir: &Path, database: &TestDatabase) -> (Running, String) {
    Running::api_with(dir, database.url(), &[("APPRUN_SHUTDOWN_DELAY", "1")])
}

#[test]
fn nothing_fails_and_nothing_is_lost_while_every_process_is_replaced() {
    let (database, dir) = (database(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    let mut apis = [start_api(dir, &database), start_api(dir, &database)];
    let mut workers = [start_worker(dir, &database, &[]), start_worker(dir, &database, &[])];
    let urls = Mutex::new(apis.iter().map(|(_, url)| url.clone()).collect());
    let balancer = Balancer { urls, next: AtomicUsize::new(0) };
    let client = Client::signed_up(&apis[0].1, "ann@example.com");
    let function = client.deploy_go(SLEEPER);
    let stop = AtomicBool::new(false);

    let accepted: Vec<_> = std::thread::scope(|scope| {
        let call = || call_until(&stop, &balancer, &client, &function);
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
        for (api, worker) in apis.iter_mut().zip(&mut workers) {
            replace_api(dir, &database, &balancer, api);
            let mut old = std::mem::replace(worker, start_worker(dir, &database, &[]));
            old.signal(Signal::SIGTERM);
            assert_eq!(old.wait().code(), Some(0));
            old.assert_nothing_left();
        }
        stop.store(true, Ordering::Relaxed);
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });

    let client = client.at(&apis[0].1);
    assert!(accepted.len() > 2 * CALLERS, "{}", accepted.len());
    for id in &accepted {
        let ended = ended(&client, id);
        assert_eq!(ended["status"], "completed", "{ended}");
    }
    until(|| count(&client, &function, "running") + count(&client, &function, "pending") == 0);
}
