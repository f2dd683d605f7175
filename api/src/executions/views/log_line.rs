//! How the lines that executions write look from outside.

use shared::{
    domain::{ExecutionId, Level, LogStream},
    store::log,
};

use crate::{
    examples::{EXECUTION, MOMENT},
    shape::{Timestamp, view},
};

view! {
    /// One line that an execution wrote.
    LogLine {
        /// Who wrote it.
        execution_id: ExecutionId = EXECUTION,
        /// Its place among the lines of the execution, from 1, through all of its attempts.
        seq: u32 = 1,
        /// By which attempt.
        attempt: u32 = 1,
        /// When it was read.
        t: Timestamp = MOMENT,
        /// Where it came from.
        stream: LogStream = "stderr",
        /// How grave it is, as far as it says so.
        level: Level = "info",
        /// Without its line end.
        text: String = "sending to ann@example.com",
    }
}

impl From<log::LogEntry> for LogLine {
    fn from(row: log::LogEntry) -> Self {
        Self {
            execution_id: row.execution(),
            seq: row.place.seq.unsigned_abs(),
            attempt: row.place.attempt.unsigned_abs(),
            t: row.place.at.into(),
            stream: row.stream,
            level: row.level.unwrap_or(Level::Info),
            text: row.text,
        }
    }
}
