//! A Postgres of this test's own, because it will be mistreated.

use std::{
    io::Write,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};

pub(crate) struct Server {
    directory: tempfile::TempDir,
    port: u16,
    has_small_disk: bool,
}

/// What a fresh server takes, and a little.
const SMALL_DISK: &str = "size=120m";

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), false)
    }

    /// On a file system of its own, which needs root.
    pub(crate) fn start_on_small_disk() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs"]).arg(directory.path());
        assert!(mount.status().unwrap().success(), "mount failed");
        Self::start_in(directory, true)
    }

    fn start_in(directory: tempfile::TempDir, has_small_disk: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if let Some(user) = unprivileged() {
            chown(directory.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        let server = Self { directory, port, has_small_disk };
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

    /// Leaves the server not one byte.
    pub(crate) fn fill_disk(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 1 << 12]).is_ok() {}
    }

    /// A server that fell over the full disk is started anew, as any supervisor would.
    pub(crate) fn free_disk(&self) {
        std::fs::remove_file(self.filler()).unwrap();
        let status = self.command("pg_ctl", &["status", "-D", &self.data()]).status().unwrap();
        if !status.success() {
            self.up();
        }
    }

    fn filler(&self) -> PathBuf {
        self.directory.path().join("filler")
    }

    /// Nothing of it runs, and no connection closes, for as long as the value that comes back lives.
    pub(crate) fn pause(&self) -> Paused {
        // The one that listens, and its children: one for each connection.
        let main = self.main_process();
        let children =
            std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
        let all = children.split_whitespace().map(|pid| pid.parse().unwrap());
        let all: Vec<_> = std::iter::once(main).chain(all).map(Pid::from_raw).collect();
        // A child may have ended meanwhile.
        for pid in &all {
            let _ = kill(*pid, Signal::SIGSTOP);
        }
        Paused(all)
    }

    fn main_process(&self) -> i32 {
        let file = std::fs::read_to_string(self.directory.path().join("data/postmaster.pid"));
        file.unwrap().lines().next().unwrap().parse().unwrap()
    }

    fn up(&self) {
        let options = format!(
            "-p {} -k '' -c listen_addresses=127.0.0.1 -c max_connections=200 -c fsync=off \
             -c max_wal_size=32MB",
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
        let status = self.command(program, arguments).status().unwrap();
        assert!(status.success(), "{program} failed");
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries().join(program));
        command.args(arguments).current_dir(self.directory.path()).stdout(Stdio::null());
        if let Some(user) = unprivileged() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

/// The processes that were stopped.
pub(crate) struct Paused(Vec<Pid>);

impl Drop for Paused {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
        if self.has_small_disk {
            let _ = Command::new("umount").arg(self.directory.path()).status();
        }
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
