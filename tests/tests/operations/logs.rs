//! The log as a collector reads it: a line is an event, whatever clients send.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::Value;
use system_tests::Running;
use test_support::TestDatabase;

/// Everything of a request that its sender chooses, with what would end a line, a field or a colour.
const REQUESTS: [&[u8]; 4] = [
    b"GET /a%0a%7B%22level%22:%22ERROR%22%7D HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET /b\"}{\"level\":\"ERROR\" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    b"GET /c HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: req-1\"}\xc2\x85{\"a\":\"\r\n\
      user-agent: \"}\t{\"level\":\"ERROR\"\r\ntraceparent: 00-\"}\r\n\
      x-forwarded-for: 198.51.100.7\"}{\r\n\r\n",
    b"GET /d\x1b[31m HTTP/1.1\r\nhost: x\r\n\r\n",
];

#[tokio::test]
async fn nothing_that_a_client_sends_makes_or_changes_a_line_of_the_log() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let (mut api, url) = Running::api(dir.path(), database.url());
    let address = url.trim_start_matches("http://");
    for request in REQUESTS {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
    api.signal(nix::sys::signal::Signal::SIGTERM);
    api.wait();
    let lines: Vec<Value> = api
        .rest()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no event: {line:?}")))
        .collect();
    assert!(lines.iter().all(|line| line["level"] != "ERROR"), "{lines:?}");
    let requests: Vec<_> = lines.iter().filter(|line| line["message"] == "request").collect();
    let paths: Vec<_> = requests.iter().map(|line| line["path"].as_str().unwrap()).collect();
    let said = ["/a%0a%7B%22level%22:%22ERROR%22%7D", "/b\"}{\"level\":\"ERROR\"", "/c"];
    assert_eq!(paths, said, "{lines:?}");
    for line in requests {
        let id = line["request_id"].as_str().unwrap();
        assert!(id.starts_with("req-") && id.len() == 40, "{id}");
        assert_eq!(line["address"], "127.0.0.1");
    }
    let unread = lines.iter().filter(|line| line["message"] == "request that could not be read");
    assert_eq!(unread.count(), 1, "{lines:?}");
}
