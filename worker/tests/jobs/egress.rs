//! A function with egress from its source to its answer, in both languages, over a cable to a network of
//! its own that the operator has opened.

use std::{net::Ipv4Addr, time::Duration};

use shared::domain::NetworkAccess;
use worker::Egress;

use crate::{
    fixture::Fixture,
    networks::{Outside, Server},
};

const GO: &str = r#"package main

import (
	"io"
	"net"
)

func Handler(address string) (string, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	connection.Write([]byte("hello\n"))
	answer, err := io.ReadAll(connection)
	return string(answer), err
}
"#;

const RUST: &str = r#"use std::io::{Read, Write};

pub fn handler(address: String) -> Result<String, std::io::Error> {
    let mut connection = std::net::TcpStream::connect(address)?;
    connection.write_all(b"hello\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
"#;

/// A network of four addresses for this process, and in it a server.
fn neighbour() -> (Outside, Server, String, Egress) {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let at = |last: u8| Ipv4Addr::new(10, 200 + (high >> 3), low, ((high & 7) << 5) | last);
    let (here, there) = (at(1), at(2));
    let outside = Outside::new();
    outside.connect(
        &format!("apprun{}", std::process::id()),
        &[&format!("{here}/30")],
        &[&format!("{there}/30")],
    );
    let server = outside.serve(&format!("{there}:80"));
    let egress = Egress {
        reach: format!("{here}/30").parse().unwrap(),
        services: Vec::new(),
        resolv_conf: "/etc/resolv.conf".into(),
    };
    (outside, server, format!("{there}:80"), egress)
}

#[tokio::test]
async fn functions_with_egress_reach_out_in_both_languages_and_others_do_not() {
    let (_outside, server, address, egress) = neighbour();
    let f = Fixture::new().await;
    let worker = f.start_worker_with(Some(egress), Duration::from_secs(30)).await;
    let input = format!("\"{address}\"");
    for source in [GO, RUST] {
        let function = f.create_networked(source, NetworkAccess::Egress).await;
        assert_eq!(f.final_status("build", f.build_of(function).await.0).await, "succeeded");
        let id = f.call(function, &input).await;
        assert_eq!(f.final_status("execution", id.0).await, "completed");
        let output = f.text("select output from execution where id = $1", id.0).await;
        assert_eq!(output.as_deref(), Some("\"outside\\n\""));

        let function = f.create_networked(source, NetworkAccess::None).await;
        assert_eq!(f.final_status("build", f.build_of(function).await.0).await, "succeeded");
        let id = f.call(function, &input).await;
        assert_eq!(f.final_status("execution", id.0).await, "failed");
    }
    assert_eq!(server.taken(), 2);
    worker.stop().await;
}

/// Other workers may allow it, so the call is offered to them first.
#[tokio::test]
async fn where_egress_is_off_such_a_call_ends_as_platform_error_and_says_why() {
    let f = Fixture::new().await;
    let worker = f.start_worker_with(None, Duration::from_secs(30)).await;
    let function = f.create_networked(GO, NetworkAccess::Egress).await;
    assert_eq!(f.final_status("build", f.build_of(function).await.0).await, "succeeded");

    let id = f.call(function, "\"1.1.1.1:443\"").await;

    assert_eq!(f.final_status("execution", id.0).await, "failed");
    let why = "select reason || ': ' || error_message from execution where id = $1";
    let why = f.text(why, id.0).await.unwrap();
    assert_eq!(why, "platform_error: the function has 'network: egress', which no worker allows");
    worker.stop().await;
}
