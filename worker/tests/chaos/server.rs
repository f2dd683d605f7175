//! A Postgres of this test's own, because it will be mistreated.

use std::{
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::unistd::{User, geteuid};

pub(crate) struct Server {
    directory: tempfile::TempDir,
    port: u16,
}

impl Server {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if let Some(user) = unprivileged() {
            chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let server = Self { directory, port };
        let data = server.data();
        server.run(
            "initdb",
            &["--username=postgres", "--auth=trust", "--no-sync", "--pgdata", &data],
        );
        server.up();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Every connection is cut, whatever it is doing, and what was not flushed is gone.
    pub(crate) fn restart_immediately(&self) {
        self.down();
        self.up();
    }

    fn up(&self) {
        let options = format!(
            "-p {} -k '' -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off",
            self.port
        );
        self.run("pg_ctl", &["start", "-w", "-D", &self.data(), "-l", "/dev/null", "-o", &options]);
    }

    fn down(&self) {
        self.run("pg_ctl", &["stop", "-w", "-m", "immediate", "-D", &self.data()]);
    }

    fn data(&self) -> String {
        self.directory.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(binaries().join(program));
        command.args(arguments).current_dir(self.directory.path()).stdout(Stdio::null());
        if let Some(user) = unprivileged() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        assert!(command.status().unwrap().success(), "{program} failed");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}

/// Postgres refuses to run as root.
fn unprivileged() -> Option<User> {
    geteuid().is_root().then(|| User::from_name("postgres").unwrap().unwrap())
}

fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    versions.map(|version| version.unwrap().path().join("bin")).max().unwrap()
}
