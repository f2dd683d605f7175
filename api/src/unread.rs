//! The end of a connection, with an answer to what came and could not be read as a request: the same
//! envelope as everywhere, with an id, a line of log and a count.

use std::{net::SocketAddr, time::Duration};

use poem::{Response, http::StatusCode};
use shared::{
    domain::{Cause, ErrorCode, RequestId, TraceContext},
    metrics::Http,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{door, headers, problem::Problem, server::MAX_HEAD_BYTES, wire::Wire};

/// For the last words, and for the other side to take them.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is still read of somebody who goes on sending; a socket that is closed with something unread
/// takes back what was just said.
const MAX_LEFTOVER_BYTES: usize = 1 << 20;

/// Answers what could not be read, if anything, and closes.
pub(crate) async fn close(wire: Wire, ended: hyper::Result<()>, peer: SocketAddr, metrics: &Http) {
    let answer =
        problem(&wire, ended.as_ref().err()).map(|problem| answer(&problem, peer, metrics));
    let mut socket = wire.into_socket();
    // Whoever has left needs no farewell, and whoever dawdles gets none.
    let _ = timeout(FAREWELL, part(&mut socket, answer)).await;
}

fn problem(wire: &Wire, error: Option<&hyper::Error>) -> Option<Problem> {
    let (code, message) = match (wire.held_back(), error) {
        (Some(StatusCode::BAD_REQUEST), _) => {
            (ErrorCode::ValidationFailed, "the request is not HTTP/1.1")
        }
        (Some(status), _)
            if status == StatusCode::URI_TOO_LONG || wire.first_line_bytes() >= MAX_HEAD_BYTES =>
        {
            (ErrorCode::UriTooLong, "the first line of the request is too long")
        }
        (Some(_), _) => (ErrorCode::HeadersTooLarge, "the headers of the request are too large"),
        // The preface of HTTP/2, to which hyper says nothing.
        (None, Some(error)) if error.is_parse() => {
            (ErrorCode::ValidationFailed, "the request is not HTTP/1.1")
        }
        (None, Some(error)) if error.is_timeout() && wire.heard_something() => {
            (ErrorCode::RequestTimeout, "the head of the request did not arrive in time")
        }
        _ => return None,
    };
    Some(Problem::new(code, message))
}

/// The whole answer as it goes out; it is counted and logged like any other.
fn answer(problem: &Problem, peer: SocketAddr, metrics: &Http) -> Vec<u8> {
    let cause = Cause { request: RequestId::new(), trace: TraceContext::root() };
    let status = problem.code.http_status();
    metrics.unread(status);
    tracing::info!(
        request_id = %cause.request,
        address = %peer.ip(),
        status,
        reason = problem.message,
        "request that could not be read",
    );
    let mut response = door::refusal(problem, cause);
    headers::add(&mut response, None);
    spelled(&response, &problem.envelope(cause.request))
}

fn spelled(response: &Response, body: &str) -> Vec<u8> {
    let status = response.status();
    let mut text = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in response.headers() {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let length = body.len();
    text.extend(format!("content-length: {length}\r\nconnection: close\r\n\r\n{body}").bytes());
    text
}

async fn part(socket: &mut TcpStream, answer: Option<Vec<u8>>) -> std::io::Result<()> {
    if let Some(answer) = answer {
        socket.write_all(&answer).await?;
    }
    socket.shutdown().await?;
    let mut left = MAX_LEFTOVER_BYTES;
    let mut leftover = [0; 4096];
    while left > 0 {
        match socket.read(&mut leftover).await? {
            0 => break,
            bytes => left = left.saturating_sub(bytes),
        }
    }
    Ok(())
}
