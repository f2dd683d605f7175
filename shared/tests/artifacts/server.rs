//! One S3 server of a test's own, over a directory: s3s-fs, which `scripts/setup.sh --for-tests`
//! installs.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use shared::config::{S3Settings, Secret};
use tokio::net::{TcpListener, TcpStream};

const KEY: &str = "apprun";
const SECRET: &str = "a secret";

/// Ends with its value.
pub(crate) struct Server {
    root: tempfile::TempDir,
    port: u16,
    process: Child,
}

/// How to reach the server on this port.
pub(crate) fn settings(port: u16) -> S3Settings {
    S3Settings {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: "us-east-1".to_owned(),
        access_key: Some(Secret::new(KEY)),
        secret_key: Some(Secret::new(SECRET)),
    }
}

impl Server {
    /// With one bucket, `artifacts`.
    pub(crate) async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("artifacts")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = spawn(root.path(), port);
        let server = Self { root, port, process };
        server.until_it_listens().await;
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn bucket(&self) -> PathBuf {
        self.root.path().join("artifacts")
    }

    /// Of all files that the server has, finished or not.
    pub(crate) fn stored_bytes(&self) -> u64 {
        bytes_below(self.root.path())
    }

    /// SIGKILL: nothing is finished, nothing is told to anybody.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) async fn restart(&mut self) {
        self.process = spawn(self.root.path(), self.port);
        self.until_it_listens().await;
    }

    async fn until_it_listens(&self) {
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What vanishes meanwhile does not count.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes_of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(bytes_of).sum()
}

fn spawn(root: &Path, port: u16) -> Child {
    let data_home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let data_home = data_home
        .unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".local/share"));
    let program = data_home.join("apprun/tools/bin/s3s-fs");
    let port = port.to_string();
    Command::new(&program)
        .args(["--host", "127.0.0.1", "--port", &port, "--access-key", KEY, "--secret-key", SECRET])
        .arg(root)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program:?}: {error}; run scripts/setup.sh --for-tests"))
}
