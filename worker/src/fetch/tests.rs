//! Fetching from a directory, and from a server that answers as it is told.

use std::{fs, path::Path};

use compiler::{Crate, Dependency, GoModule};
use sha2::{Digest, Sha256};
use shared::config::{FetchSettings, Location};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn module(path: &str) -> Dependency {
    let (path, version) = (path.to_owned(), "v1.0.0".to_owned());
    Dependency::GoModule(GoModule { path, version, with_code: true })
}

fn package(name: &str, archive: &[u8]) -> Dependency {
    let sha256 = Sha256::digest(archive).into();
    Dependency::Crate(Crate { name: name.to_owned(), version: "1.0.0".to_owned(), sha256 })
}

fn put(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A directory that is a module proxy and a crate registry at once.
fn directory() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "example.com/a/@v/v1.0.0.zip", "the module");
    let line =
        |sum: &str| format!("{{\"name\":\"abcd\",\"vers\":\"1.0.0\",\"cksum\":\"{sum}\"}}\n");
    put(root.path(), "ab/cd/abcd", line(&hex::encode(Sha256::digest(b"the crate"))));
    put(root.path(), "config.json", "{\"dl\":\"crates/{crate}-{version}.crate\"}");
    put(root.path(), "crates/abcd-1.0.0.crate", "the crate");
    root
}

fn fetcher(place: &Location, go_allow: &[&str]) -> Fetcher {
    Fetcher::new(FetchSettings {
        go_proxy: Some(place.clone()),
        go_allow: go_allow.iter().map(|prefix| (*prefix).to_owned()).collect(),
        cargo_registry: Some(place.clone()),
    })
    .unwrap()
}

async fn refusal(fetcher: &Fetcher, need: Dependency) -> String {
    match fetcher.fetch(&[need]).await {
        Err(FetchError::Refused(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_pinned_is_found_in_a_directory() {
    let root = directory();
    let fetcher = fetcher(&Location::Directory(root.path().into()), &[]);
    let needs = [module("example.com/a"), package("abcd", b"the crate")];
    let found = fetcher.fetch(&needs).await.unwrap();
    let mut expected = Fetched::default();
    let (Dependency::GoModule(module), Dependency::Crate(package)) = (&needs[0], &needs[1]) else {
        unreachable!("made so")
    };
    expected.add_module(module, b"the module".into());
    let index = fs::read_to_string(root.path().join("ab/cd/abcd")).unwrap();
    expected.add_crate(package, index.trim_end(), b"the crate".into());
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_is_missing_or_other_than_pinned_is_the_authors_to_know() {
    let root = directory();
    let fetcher = fetcher(&Location::Directory(root.path().into()), &[]);
    let missing = refusal(&fetcher, module("example.com/b")).await;
    assert_eq!(missing, "the module proxy does not have example.com/b@v1.0.0");
    let missing = refusal(&fetcher, package("none", b"x")).await;
    assert_eq!(missing, "crate none 1.0.0 is not in the registry");
    let other = refusal(&fetcher, package("abcd", b"other")).await;
    assert!(other.contains("with the checksum in Cargo.lock"), "{other}");
    put(root.path(), "crates/abcd-1.0.0.crate", "changed");
    let changed = refusal(&fetcher, package("abcd", b"the crate")).await;
    assert!(changed.contains("is not what its checksum in Cargo.lock says"), "{changed}");
}

#[tokio::test]
async fn only_allowed_modules_are_asked_for() {
    let root = directory();
    let place = Location::Directory(root.path().into());
    let allowed = fetcher(&place, &["example.com/"]);
    assert!(allowed.fetch(&[module("example.com/a")]).await.is_ok());
    let other = fetcher(&place, &["example.com/abc", "example.org"]);
    let refused = refusal(&other, module("example.com/a")).await;
    assert!(refused.contains("allowed are those below example.com/abc, example.org"), "{refused}");
    assert!(!is_below("example.community/a", "example.com"));
}

/// Answers one request with these bytes.
async fn server(answer: &'static str) -> Location {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    Location::Url(format!("http://{address}"))
}

#[tokio::test]
async fn a_server_is_asked_over_http() {
    let found = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let fetched = fetcher(&found, &[]).fetch(&[module("a.b/c")]).await.unwrap();
    assert_eq!(fetched.total_bytes(), "hi".len());
    let gone = server("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n").await;
    assert!(refusal(&fetcher(&gone, &[]), module("a.b/c")).await.contains("does not have"));
}

#[tokio::test]
async fn a_server_in_trouble_is_our_trouble_and_the_job_is_tried_again() {
    let broken = server("HTTP/1.1 503 Oh\r\ncontent-length: 0\r\n\r\n").await;
    let error = fetcher(&broken, &[]).fetch(&[module("a.b/c")]).await.unwrap_err();
    assert!(matches!(error, FetchError::Status { .. }), "{error:?}");
    let away = Location::Url("http://127.0.0.1:1".to_owned());
    let error = fetcher(&away, &[]).fetch(&[module("a.b/c")]).await.unwrap_err();
    assert!(matches!(error, FetchError::Http { .. }), "{error:?}");
    let large = server("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhi").await;
    let error = fetcher(&large, &[]).fetch(&[module("a.b/c")]).await.unwrap_err();
    assert!(matches!(error, FetchError::Http { .. }), "{error:?}");
}

/// Answers every request, after some time.
async fn slow_server(delay: Duration) -> Location {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                tokio::time::sleep(delay).await;
                let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
                let _ = stream.write_all(answer).await;
            });
        }
    });
    Location::Url(format!("http://{address}"))
}

#[tokio::test(start_paused = true)]
async fn many_slow_answers_cost_no_more_than_the_deadline_of_all() {
    let slow = slow_server(REQUEST_DEADLINE / 2).await;
    let needs = |count: usize| (0..count).map(|n| module(&format!("a.b/m{n}"))).collect::<Vec<_>>();
    let few = fetcher(&slow, &[]).fetch(&needs(2 * REQUESTS_AT_ONCE)).await.unwrap();
    assert_eq!(few.total_bytes(), 2 * REQUESTS_AT_ONCE * "hi".len());
    let many = fetcher(&slow, &[]).fetch(&needs(100)).await;
    assert!(matches!(many, Err(FetchError::TooSlow)), "{many:?}");
}

#[test]
fn download_addresses_follow_the_registrys_template() {
    let Dependency::Crate(wanted) = package("serde", b"x") else { unreachable!("made so") };
    let at = |template| download_url(template, &wanted);
    assert_eq!(at("https://a/crates"), "https://a/crates/serde/1.0.0/download");
    assert_eq!(at("https://a/{prefix}/{crate}-{version}"), "https://a/se/rd/serde-1.0.0");
}
