//! A Redis of a test's own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use tokio::net::TcpStream;

/// A running redis-server that keeps nothing. Ends with its value.
pub(crate) struct Redis {
    pub(crate) url: String,
    process: Child,
}

impl Redis {
    /// Starts one on a free port and waits until it listens.
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server: run `scripts/setup.sh --for-tests`");
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        Self { url: format!("redis://127.0.0.1:{port}"), process }
    }

    /// Stops answering, with its connections open, as a machine does that loses its network.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
