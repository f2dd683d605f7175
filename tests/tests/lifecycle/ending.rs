//! One process is told to stop.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use nix::sys::signal::Signal;
use system_tests::{Client, Running, until};

use super::{
    FOR_EVER_MS, SLEEPER, accept, call_in_the_background, count, database, ended, start_worker,
};

#[test]
fn an_api_that_is_told_to_stop_finishes_its_requests_and_takes_no_more() {
    let (database, dir) = (database(), tempfile::tempdir().unwrap());
    let (mut api, url) = Running::api(dir.path(), database.url());
    let _worker = start_worker(dir.path(), &database, &[]);
    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy_go(SLEEPER);
    let calling = call_in_the_background(&client, &function, 2000);

    api.signal(Signal::SIGTERM);
    until(|| std::net::TcpStream::connect(url.trim_start_matches("http://")).is_err());

    assert_eq!(calling.join().unwrap().status, 200);
    assert_eq!(api.wait().code(), Some(0));
}

#[test]
fn an_api_with_a_delay_says_that_it_is_not_ready_while_it_still_serves() {
    let (database, dir) = (database(), tempfile::tempdir().unwrap());
    let delay = [("APPRUN_SHUTDOWN_DELAY", "3600")];
    let (mut api, url) = Running::api_with(dir.path(), database.url(), &delay);
    let client = Client::signed_up(&url, "ann@example.com");
    assert_eq!(client.get("/ready").status, 200);

    api.signal(Signal::SIGTERM);
    until(|| client.get("/ready").status == 503);

    assert_eq!(client.get("/api/v1/auth/me").status, 200);
    assert_eq!(client.get("/health").status, 200);
    api.signal(Signal::SIGTERM);
    assert_eq!(api.wait().code(), Some(130), "a second signal ends at once");
}

/// Asks for `/health` over a connection that is open already: the head of the answer, in lower case.
fn health_over(connection: &mut BufReader<TcpStream>) -> String {
    let request = b"GET /health HTTP/1.1\r\nhost: apprun\r\n\r\n";
    connection.get_mut().write_all(request).unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(connection.read_line(&mut head).unwrap(), 0, "cut off after {head:?}");
    }
    let head = head.to_lowercase();
    let (_, length) = head.split_once("content-length: ").unwrap();
    let length: usize = length.lines().next().unwrap().parse().unwrap();
    connection.read_exact(&mut vec![0; length]).unwrap();
    head
}

#[test]
fn a_connection_that_is_kept_open_ends_with_its_first_answer_after_the_signal() {
    let (database, dir) = (database(), tempfile::tempdir().unwrap());
    let delay = [("APPRUN_SHUTDOWN_DELAY", "3600")];
    let (api, url) = Running::api_with(dir.path(), database.url(), &delay);
    let connection = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    let mut connection = BufReader::new(connection);
    for _ in 0..2 {
        assert!(!health_over(&mut connection).contains("connection: close"));
    }

    api.signal(Signal::SIGTERM);
    until(|| Client::new(&url).get("/ready").status == 503);

    let head = health_over(&mut connection);
    assert!(head.starts_with("http/1.1 200") && head.contains("connection: close"), "{head}");
    assert_eq!(connection.read(&mut [0]).unwrap(), 0, "the server has closed it");
}

#[test]
fn a_second_signal_ends_a_worker_at_once_and_another_does_its_work() {
    let (database, dir) = (database(), tempfile::tempdir().unwrap());
    let (_api, url) = Running::api(dir.path(), database.url());
    let mut first = start_worker(dir.path(), &database, &[]);
    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy_go(SLEEPER);
    let id = accept(&client, &function, FOR_EVER_MS);
    until(|| count(&client, &function, "running") == 1);

    // Two of one kind at once may arrive as one.
    first.signal(Signal::SIGTERM);
    first.signal(Signal::SIGINT);
    assert_eq!(first.wait().code(), Some(130));
    first.assert_nothing_left();

    let _second = start_worker(dir.path(), &database, &[]);
    let ended = ended(&client, &id);
    assert_eq!((&ended["status"], &ended["output"]["attempt"]), (&"completed".into(), &"2".into()));
}

#[test]
fn a_worker_finishes_what_runs_within_its_grace_and_gives_back_the_rest() {
    let (database, dir) = (database(), tempfile::tempdir().unwrap());
    let (_api, url) = Running::api(dir.path(), database.url());
    let grace = [("APPRUN_SHUTDOWN_GRACE", "5")];
    let mut first = start_worker(dir.path(), &database, &grace);
    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy_go(SLEEPER);
    let (short, long) = (accept(&client, &function, 200), accept(&client, &function, 15_000));
    until(|| count(&client, &function, "pending") == 0);

    first.signal(Signal::SIGTERM);
    let waiting = accept(&client, &function, 0);
    assert_eq!(first.wait().code(), Some(0));
    first.assert_nothing_left();

    assert_eq!(ended(&client, &short)["status"], "completed");
    assert_eq!(count(&client, &function, "completed"), 1, "nothing else came to an end here");
    let _second = start_worker(dir.path(), &database, &[]);
    for id in [long, waiting] {
        assert_eq!(ended(&client, &id)["status"], "completed");
    }
}

#[test]
fn ctrl_c_lets_a_call_that_runs_in_dev_come_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dev, url) = Running::dev(dir.path());
    let client = Client::signed_up(&url, "ann@example.com");
    let function = client.deploy_go(SLEEPER);
    let calling = call_in_the_background(&client, &function, 2000);

    dev.signal(Signal::SIGINT);

    let answer = calling.join().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(dev.wait().code(), Some(0));
    dev.assert_nothing_left();
}
