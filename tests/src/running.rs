//! A process of the binary that goes on running: `dev`, `api` or `worker`.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    time::{Duration, Instant},
};

use crate::{command::command_through, leftovers::Mark};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Far longer than anything takes on an idle machine; a loaded one must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running `apprun`, in a process group of its own; killed when the value is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    /// On it and everything it starts.
    mark: Mark,
}

impl Running {
    /// Starts `apprun` with these arguments and variables in `dir`.
    pub fn start(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_through(&[], dir, arguments, variables)
    }

    /// The same, started by another program that takes a command line and becomes it.
    pub fn start_through(
        starter: &[&str],
        dir: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = command_through(starter, dir, arguments);
        let mark = Mark::new();
        command.envs(variables.iter().copied()).env(mark.name(), mark.value()).process_group(0);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        pass_on(child.stdout.take().unwrap(), sender.clone());
        pass_on(child.stderr.take().unwrap(), sender);
        Self { child, lines, seen: Vec::new(), mark }
    }

    /// Starts `apprun dev` in `dir` on a free port and waits until it is ready: it, and its URL.
    pub fn dev(dir: &Path) -> (Self, String) {
        let mut dev = Self::start(dir, &["dev", "--http-addr", "127.0.0.1:0"], &[]);
        let line = dev.wait_for_line("http://127.0.0.1:");
        let url = &line[line.find("http://").unwrap()..line.find("/api/v1").unwrap()];
        let url = url.to_owned();
        dev.wait_for_line("Ctrl-C");
        (dev, url)
    }

    /// Starts `apprun api` in `dir` on a free port and waits until it listens: it, and its URL.
    pub fn api(dir: &Path, database_url: &str) -> (Self, String) {
        Self::api_with(dir, database_url, &[])
    }

    /// The same, with these variables too.
    pub fn api_with(dir: &Path, database_url: &str, more: &[(&str, &str)]) -> (Self, String) {
        let secret = ("APPRUN_JWT_SECRET", "0123456789abcdef0123456789abcdef");
        let open = ("APPRUN_REGISTRATION", "open");
        let variables = [("APPRUN_DATABASE_URL", database_url), secret, open];
        let variables = [&variables, more].concat();
        let mut api = Self::start(dir, &["api", "--http-addr", "127.0.0.1:0"], &variables);
        let line = api.wait_for_line("the API is listening");
        let (_, address) = line.split_once("127.0.0.1:").unwrap();
        let port: String = address.chars().take_while(char::is_ascii_digit).collect();
        (api, format!("http://127.0.0.1:{port}"))
    }

    /// The next line that contains `text`, of either output.
    pub fn wait_for_line(&mut self, text: &str) -> String {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            let left = give_up_at.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {text:?} came; so far:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Every line that was waited for or passed over so far.
    pub fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Every line of a process that has ended.
    pub fn rest(&mut self) -> &[String] {
        self.seen.extend(self.lines.iter());
        &self.seen
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits until neither it nor anything that it started runs any more.
    pub fn assert_nothing_left(&self) {
        self.mark.assert_nothing_left();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < give_up_at, "it did not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pass_on(output: impl std::io::Read + Send + 'static, sender: mpsc::Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens any more once the test is over.
            let _ = sender.send(line);
        }
    });
}

/// Waits for what another process does in its own time.
pub fn until(condition: impl Fn() -> bool) {
    // A build on a machine that never built before.
    let give_up_at = Instant::now() + 3 * PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up_at, "it never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}
