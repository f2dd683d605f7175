//! `apprun dev` as a developer lives with it: started, stopped, killed, and started in the way of
//! something else.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::net::TcpListener;

use nix::sys::signal::Signal;
use system_tests::{Client, Running, apprun};

#[test]
fn dev_serves_health_readiness_documents_and_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let (dev, url) = Running::dev(dir.path());
    let nobody = Client::new(&url);

    let health = nobody.get("/health");
    assert_eq!(health.status, 200);
    assert_eq!(health.body["status"], "ok");
    assert_eq!(health.body["checks"]["database"]["status"], "ok");
    assert_eq!(nobody.get("/ready").status, 200);
    assert_eq!(
        nobody.get("/openapi.json").body["openapi"].as_str().unwrap().split('.').next(),
        Some("3")
    );
    assert_eq!(nobody.get("/docs").status, 200);
    assert_eq!(Client::signed_up(&url, "a@example.com").get("/api/v1/auth/me").status, 200);
    drop(dev);
}

#[test]
fn a_fresh_dev_that_is_not_open_says_how_the_first_account_is_made_whatever_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [("APPRUN_REGISTRATION", "invite"), ("APPRUN_LOG", "off")];
    let line = ["dev", "--http-addr", "127.0.0.1:0"];
    let mut dev = Running::start(dir.path(), &line, &variables);
    let said = dev.wait_for_line("apprun login --register --setup-token");
    let typed: Vec<_> = said.split_whitespace().skip(1).collect();
    let config = dir.path().join("config").display().to_string();
    let person = [("APPRUN_PASSWORD", "correct horse battery"), ("XDG_CONFIG_HOME", &config)];
    let done = apprun(dir.path(), &typed, &person);
    assert_eq!(done.code, Some(0), "{done:?}");
    let again = apprun(dir.path(), &typed, &person);
    assert_ne!(again.code, Some(0), "it is good once");
    assert!(dev.wait_for_line("curl ").contains("setup_token"));
}

#[test]
fn ctrl_c_ends_everything_and_says_so_by_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let (mut dev, _) = Running::dev(dir.path());

    dev.signal(Signal::SIGINT);

    assert_eq!(dev.wait().code(), Some(0));
    dev.assert_nothing_left();
}

#[test]
fn ctrl_c_while_starting_ends_everything_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut dev = Running::start(dir.path(), &["dev", "--http-addr", "127.0.0.1:0"], &[]);
    while !dir.path().join(".apprun/postgres.log").exists() {
        std::thread::yield_now();
    }

    dev.signal(Signal::SIGINT);

    assert!(matches!(dev.wait().code(), Some(0 | 130)));
    dev.assert_nothing_left();
}

#[test]
fn a_killed_dev_takes_its_processes_along_and_the_next_one_finds_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, url) = Running::dev(dir.path());
    Client::signed_up(&url, "a@example.com");

    first.signal(Signal::SIGKILL);
    first.wait();
    first.assert_nothing_left();

    let (mut second, url) = Running::dev(dir.path());
    let me = Client::new(&url).logged_in("a@example.com").get("/api/v1/auth/me");
    assert_eq!(me.status, 200, "{me:?}");
    second.signal(Signal::SIGTERM);
    assert_eq!(second.wait().code(), Some(0));
    second.assert_nothing_left();
}

#[test]
fn a_token_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, url) = Running::dev(dir.path());
    let port = url.rsplit(':').next().unwrap().to_owned();
    let client = Client::signed_up(&url, "a@example.com");
    first.signal(Signal::SIGINT);
    first.wait();

    let address = format!("127.0.0.1:{port}");
    let mut second = Running::start(dir.path(), &["dev", "--http-addr", &address], &[]);
    second.wait_for_line("Ctrl-C");
    assert_eq!(client.get("/api/v1/auth/me").status, 200);
}

#[test]
fn a_second_dev_in_the_same_directory_is_told_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let (_first, _) = Running::dev(dir.path());

    let second = apprun(dir.path(), &["dev", "--http-addr", "127.0.0.1:0"], &[]);

    assert_eq!(second.code, Some(1));
    assert_one_line(&second.stderr, "uses the data directory");
}

#[test]
fn a_taken_port_gives_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let refused = apprun(dir.path(), &["dev", "--http-addr", &address], &[]);

    assert_eq!(refused.code, Some(1));
    assert_one_line(&refused.stderr, &format!("cannot listen on {address}"));
    assert!(!dir.path().join(".apprun/postgres").exists(), "nothing slow was done first");
}

#[test]
fn a_directory_that_cannot_be_written_gives_one_line() {
    let dir = tempfile::tempdir().unwrap();
    // Root writes everywhere but here.
    let refused = apprun(dir.path(), &["dev", "--data-dir", "/proc/apprun"], &[]);

    assert_eq!(refused.code, Some(1));
    assert_one_line(&refused.stderr, "cannot write to the data directory /proc/apprun");
}

#[test]
fn a_data_directory_of_another_postgres_gives_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join(".apprun/postgres");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "9\n").unwrap();

    let refused = apprun(dir.path(), &["dev", "--http-addr", "127.0.0.1:0"], &[]);

    assert_eq!(refused.code, Some(1));
    assert_one_line(&refused.stderr, "was made by PostgreSQL 9");
}

fn assert_one_line(stderr: &str, part: &str) {
    assert!(stderr.contains(part), "{stderr}");
    assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
}
