//! The table that is printed at the end.

use std::time::Duration;

/// Rows in the order in which they were measured.
pub(crate) struct Report {
    rows: Vec<[String; 3]>,
}

impl Report {
    pub(crate) fn new() -> Report {
        let head = ["what", "measured", "promised"].map(str::to_owned);
        Report { rows: vec![head] }
    }

    pub(crate) fn row(&mut self, what: impl Into<String>, measured: String, promised: &str) {
        let row = [what.into(), measured, promised.to_owned()];
        eprintln!("{}", row.join(" | "));
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        let width = |column: usize| self.rows.iter().map(|row| row[column].len()).max().unwrap();
        let (what, measured) = (width(0), width(1));
        println!();
        for row in &self.rows {
            println!("{:<what$} | {:<measured$} | {}", row[0], row[1], row[2]);
        }
    }
}

/// Times of one thing, sorted.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn new(mut times: Vec<Duration>) -> Times {
        times.sort();
        Times(times)
    }

    /// The time that this share of all did not exceed.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }

    pub(crate) fn p50(&self) -> Duration {
        self.quantile(0.5)
    }
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
