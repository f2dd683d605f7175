//! Worker processes, and what is done to them.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{calls::Calls, no_op};

pub(crate) struct Workers {
    url: String,
    running: Vec<Child>,
    pub(crate) kills: u32,
    pub(crate) stops: u32,
}

impl Workers {
    pub(crate) fn start(url: &str, count: usize) -> Self {
        let running = (0..count).map(|_| spawn(url)).collect();
        Self { url: url.to_owned(), running, kills: 0, stops: 0 }
    }

    /// No worker says goodbye; another takes its place.
    pub(crate) fn kill_one(&mut self) {
        let index = rand::random_range(0..self.running.len());
        let mut victim = std::mem::replace(&mut self.running[index], spawn(&self.url));
        victim.kill().unwrap();
        victim.wait().unwrap();
        self.kills += 1;
    }

    /// For each worker, another one starts, and once that one lives, it is told to end.
    pub(crate) async fn replace_all_in_order(&mut self, calls: &Calls) {
        let count = self.running.len() as i64;
        for index in 0..self.running.len() {
            let mut leaving = std::mem::replace(&mut self.running[index], spawn(&self.url));
            while calls.live_leases().await <= count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            kill(Pid::from_raw(leaving.id().cast_signed()), Signal::SIGTERM).unwrap();
            assert!(leaving.wait().unwrap().success(), "a worker ends in order");
        }
    }

    /// True when each one is still the process it was.
    pub(crate) fn all_live(&mut self) -> bool {
        self.running.iter_mut().all(|child| child.try_wait().unwrap().is_none())
    }

    /// Longer than a lease lives, it wakes up as a zombie: its jobs are somebody else's by then.
    pub(crate) fn stop_one_for(&mut self, time: Duration) {
        let index = rand::random_range(0..self.running.len());
        let pid = Pid::from_raw(self.running[index].id().cast_signed());
        kill(pid, Signal::SIGSTOP).unwrap();
        self.stops += 1;
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            // Killed meanwhile, perhaps.
            let _ = kill(pid, Signal::SIGCONT);
        });
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(url: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "no_op::worker_process"]).env(no_op::URL, url);
    command.stdout(Stdio::null()).spawn().unwrap()
}
