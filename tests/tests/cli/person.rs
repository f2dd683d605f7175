//! Somebody at a keyboard of their own, and the server that they use.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

use nix::sys::signal::Signal;
use serde_json::Value;
use system_tests::{Finished, Running, apprun_reading};

pub(crate) const EMAIL: &str = "me@example.com";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A working directory with a configuration folder of its own.
pub(crate) struct Person {
    home: tempfile::TempDir,
    pub(crate) server: String,
    /// Ends with the person. Behind a lock, so that commands of one person may run in threads.
    dev: Option<Mutex<Running>>,
}

impl Person {
    /// In front of a server of their own, without an account.
    pub(crate) fn with_server() -> Self {
        Self::with_configured_server("")
    }

    /// The same, of a server that has this in its `apprun.yaml`.
    fn with_configured_server(settings: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("apprun.yaml"), settings).unwrap();
        let (dev, server) = Running::dev(home.path());
        Self { home, server, dev: Some(Mutex::new(dev)) }
    }

    /// The same, logged in, in a project.
    pub(crate) fn at_work() -> Self {
        Self::at_work_with("")
    }

    /// The same, at a server that has this in its `apprun.yaml`.
    pub(crate) fn at_work_with(settings: &str) -> Self {
        let person = Self::with_configured_server(settings);
        person.fine(&["login", "--register", "--email", EMAIL]);
        person.fine(&["project", "create", "tour"]);
        person
    }

    /// In front of a port where nothing listens.
    pub(crate) fn alone() -> Self {
        let server = "http://127.0.0.1:1".to_owned();
        Self { home: tempfile::tempdir().unwrap(), server, dev: None }
    }

    /// Somebody else at the same server.
    pub(crate) fn neighbour(&self) -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: self.server.clone(), dev: None }
    }

    /// Stops the server, and starts it again at its address when `meanwhile` is over.
    pub(crate) fn restart_server(&mut self, meanwhile: impl FnOnce()) {
        let dev = self.dev.as_ref().expect("a server of their own");
        let mut stopped = dev.lock().unwrap();
        stopped.signal(Signal::SIGINT);
        stopped.wait();
        meanwhile();
        let address = self.server.trim_start_matches("http://");
        let line = ["dev", "--http-addr", address];
        *stopped = Running::start(self.home.path(), &line, &[]);
        stopped.wait_for_line("Ctrl-C");
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.home().join("config/apprun/credentials.json")
    }

    /// What is set in the shell: where the server is, and the password for whoever asks.
    pub(crate) fn variables(&self) -> [(&str, &str); 3] {
        // A path that stays: it is leaked once per test.
        let config = self.home().join("config").display().to_string().leak();
        [
            ("XDG_CONFIG_HOME", config),
            ("APPRUN_SERVER", &self.server),
            ("APPRUN_PASSWORD", PASSWORD),
        ]
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        apprun_reading(self.home(), arguments, &self.variables(), "")
    }

    pub(crate) fn run_reading(&self, arguments: &[&str], input: &str) -> Finished {
        apprun_reading(self.home(), arguments, &self.variables(), input)
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn fine(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done.stdout
    }

    /// The envelope that a command prints with --json, and its exit code. Nothing else may be said.
    pub(crate) fn envelope(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let done = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(done.stderr, "", "{arguments:?}");
        assert_eq!(done.stdout.lines().count(), 1, "{arguments:?}: {done:?}");
        (serde_json::from_str(&done.stdout).unwrap(), done.code)
    }

    /// A function's folder with these files.
    pub(crate) fn folder(&self, name: &str, files: &[(&str, &str)]) -> String {
        let folder = self.home().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
        folder.display().to_string()
    }
}

/// The folder of an example.
pub(crate) fn example(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("examples/functions").join(name).display().to_string()
}
