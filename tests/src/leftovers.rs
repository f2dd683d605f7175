//! Finds processes that a run left behind: a variable of its own marks a run, and whatever a process
//! starts inherits it.

use std::{
    fs,
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::running::PATIENCE;

/// The mark of one run.
#[derive(Debug)]
pub struct Mark(String);

impl Mark {
    /// A mark that nobody else has.
    #[allow(clippy::new_without_default, reason = "each one is different")]
    pub fn new() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// The variable.
    pub fn name(&self) -> &'static str {
        "SYSTEM_TEST_RUN"
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// Waits until no process carries the mark. What is killed takes a moment to go.
    pub fn assert_nothing_left(&self) {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            let left = self.carriers();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < give_up_at, "these were left behind:\n{}", left.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Number and command line of every process with the mark.
    pub fn carriers(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let is_marked = String::from_utf8_lossy(&environment).contains(&self.0);
            if is_marked && name.parse::<u32>().is_ok() {
                let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push(format!("{name} {}", String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        found
    }
}
