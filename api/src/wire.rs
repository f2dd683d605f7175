//! A connection as hyper sees it, with an eye on what passes. hyper answers what is no HTTP by itself,
//! with a head and nothing more; that answer is held back, so that `unread` can give one that says
//! more. And whoever does not take an answer must not hold a connection for ever.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use poem::http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// What hyper answers by itself, before there is a request for our routes.
const OF_HYPER: [StatusCode; 3] = [
    StatusCode::BAD_REQUEST,
    StatusCode::URI_TOO_LONG,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
];

/// The socket, and what is known of it; outlives hyper's part.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: TcpStream,
    /// Of what came since the last answer.
    first_line_bytes: AtomicUsize,
    first_line_ended: AtomicBool,
    /// The status of an answer of hyper's; 0: none.
    held_back: AtomicU16,
}

impl Wire {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            first_line_bytes: AtomicUsize::new(0),
            first_line_ended: AtomicBool::new(false),
            held_back: AtomicU16::new(0),
        }
    }

    /// Whether anything of a request has come since the last answer.
    pub(crate) fn heard_something(&self) -> bool {
        self.first_line_bytes() > 0
    }

    /// How long its first line is so far.
    pub(crate) fn first_line_bytes(&self) -> usize {
        self.first_line_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn held_back(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.held_back.load(Ordering::Relaxed)).ok()
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn hear(&self, bytes: &[u8]) {
        if !self.first_line_ended.load(Ordering::Relaxed) {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let of_line = end.map_or(bytes.len(), |end| end + 1);
            self.first_line_bytes.fetch_add(of_line, Ordering::Relaxed);
            self.first_line_ended.store(end.is_some(), Ordering::Relaxed);
        }
    }

    fn forget_request(&self) {
        self.first_line_bytes.store(0, Ordering::Relaxed);
        self.first_line_ended.store(false, Ordering::Relaxed);
    }
}

/// Hyper's part.
#[derive(Debug)]
pub(crate) struct End {
    wire: Arc<Wire>,
    /// For the other side to take more of an answer.
    patience: Duration,
    /// Runs while it takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl End {
    pub(crate) fn of(wire: &Arc<Wire>, patience: Duration) -> Self {
        Self { wire: wire.clone(), patience, stuck: None }
    }

    /// `first` are the bytes that go first, and all of them when the answer is hyper's own.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        first: &[u8],
        send: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if let Some(status) = of_hyper(first) {
            self.wire.held_back.store(status.as_u16(), Ordering::Relaxed);
            return Poll::Ready(Ok(first.len()));
        }
        self.wire.forget_request();
        loop {
            let Poll::Ready(is_ready) = self.wire.socket.poll_write_ready(cx) else {
                let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(self.patience)));
                return stuck.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()));
            };
            is_ready?;
            match send(&self.wire.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => {
                    self.stuck = None;
                    return Poll::Ready(sent);
                }
            }
        }
    }
}

/// The status of an answer that is a head alone and does not name its request: ours all do.
fn of_hyper(bytes: &[u8]) -> Option<StatusCode> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ").or(bytes.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    let status = StatusCode::from_bytes(status).ok().filter(|it| OF_HYPER.contains(it))?;
    let mut lines = bytes.strip_suffix(b"\r\n\r\n")?.split(|byte| *byte == b'\n');
    let is_ours = lines.any(|line| line.starts_with(b"x-request-id:") || line == b"\r");
    (!is_ours).then_some(status)
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            ready!(self.wire.socket.poll_read_ready(cx))?;
            match self.wire.socket.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => {
                    self.wire.hear(&buffer.filled()[before..]);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes, |socket| socket.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
        self.poll_send(cx, first, |socket| socket.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Left to whoever has the wire: it may have something to say yet.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypers_own_answers_are_told_from_ours() {
        let date = "date: Fri, 26 Dec 2025 10:00:00 GMT\r\n";
        let bare = |status| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{date}\r\n");
        assert_eq!(of_hyper(bare("400 Bad Request").as_bytes()), Some(StatusCode::BAD_REQUEST));
        assert_eq!(of_hyper(bare("414 URI Too Long").as_bytes()), Some(StatusCode::URI_TOO_LONG));
        assert_eq!(of_hyper(bare("404 Not Found").as_bytes()), None);
        assert_eq!(of_hyper(b"HTTP/1.1 100 Continue\r\n\r\n"), None);
        let ours = format!("HTTP/1.1 400 Bad Request\r\nx-request-id: req-1\r\n{date}\r\n");
        assert_eq!(of_hyper(ours.as_bytes()), None);
        assert_eq!(of_hyper(&[bare("400 Bad Request").as_bytes(), b"{}"].concat()), None);
        let split = format!("HTTP/1.1 400 Bad Request\r\n{date}\r\nHTTP/1.1 400\r\n\r\n");
        assert_eq!(of_hyper(split.as_bytes()), None, "more than one head");
    }
}
