//! What the demo prints: a line per step with its duration, and a table at the end.

use std::time::{Duration, Instant};

/// Steps so far.
pub(super) struct Report {
    started_at: Instant,
    last_step_at: Instant,
    rows: Vec<[String; 4]>,
}

impl Report {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { started_at: now, last_step_at: now, rows: Vec::new() }
    }

    /// A step is done; its duration is the time since the one before.
    pub(super) fn step(&mut self, name: &str, result: &str) {
        let now = Instant::now();
        let took = shown(now - self.last_step_at);
        self.last_step_at = now;
        println!("{name:<28} {took:>9}   {result}");
    }

    /// What belongs to the step that is going on, without a duration of its own.
    pub(super) fn detail(&self, text: &str) {
        println!("{:<28} {:>9}   {text}", "", "");
    }

    /// A line of the final table: function, what was done, outcome, duration and memory.
    pub(super) fn row(&mut self, function: &str, what: &str, outcome: &str, cost: &str) {
        self.rows.push([function, what, outcome, cost].map(str::to_owned));
    }

    pub(super) fn print_table(&self) {
        println!();
        let head = ["function", "step", "outcome", "cost"].map(str::to_owned);
        for [function, what, outcome, cost] in std::iter::once(&head).chain(&self.rows) {
            println!("{function:<14} {what:<14} {outcome:<38} {cost}");
        }
        let took = shown(self.started_at.elapsed());
        println!("\nEverything was as it should be. All of it took {took}.");
    }
}

/// `12 ms` below ten seconds, `12.3 s` above.
fn shown(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
