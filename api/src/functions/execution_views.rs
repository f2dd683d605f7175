//! How executions, their logs and builds look from outside.

use serde_json::{Value, json};
use shared::{
    domain::{
        BuildId, BuildStatus, Diagnostic, ExecutionId, ExecutionStatus, FunctionId, JsonText,
        LogStream, Reason, Severity,
    },
    store::{build_report::BuildReport, call},
};

use super::views::{BUILD, EXECUTION, FUNCTION, MOMENT};
use crate::shape::{Timestamp, view};

view! {
    /// One call of a function, with what went in and came out.
    Execution {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// Of which function.
        function_id: FunctionId = FUNCTION,
        /// Of which version.
        version: String = "1",
        /// How far it is.
        status: ExecutionStatus = "completed",
        /// Why it did not complete.
        reason: Option<Reason> = Value::Null,
        /// What the function was given, byte for byte.
        input: JsonText = json!({ "to": "ann@example.com" }),
        /// What it answered, byte for byte; null while there is no answer.
        output: Option<JsonText> = json!({ "sent": true }),
        /// Why it did not complete, for people.
        error: Option<String> = Value::Null,
        /// How long the program ran, in milliseconds.
        duration: Option<f64> = 1.8,
        /// Most memory it held, in MiB.
        memory_used: Option<f64> = 4.2,
        /// What the last attempt wrote to stderr, lines joined by `\n`.
        logs: String = "sending to ann@example.com",
        /// True when it wrote more than was kept.
        logs_truncated: bool = false,
        /// Which try this was; 0 before the first.
        attempt: u32 = 1,
        /// When the call was accepted.
        queued_at: Timestamp = MOMENT,
        /// When a worker took it.
        started_at: Option<Timestamp> = MOMENT,
        /// When it ended.
        completed_at: Option<Timestamp> = MOMENT,
    }
}

impl From<call::Execution> for Execution {
    fn from(row: call::Execution) -> Self {
        let summary = ExecutionSummary::from(row.summary);
        Self {
            execution_id: summary.execution_id,
            function_id: summary.function_id,
            version: summary.version,
            status: summary.status,
            reason: summary.reason,
            input: row.input,
            output: row.output,
            error: summary.error,
            duration: summary.duration,
            memory_used: summary.memory_used,
            logs: row.logs,
            logs_truncated: row.logs_truncated,
            attempt: summary.attempt,
            queued_at: summary.queued_at,
            started_at: summary.started_at,
            completed_at: summary.completed_at,
        }
    }
}

view! {
    /// One call of a function, as lists show it.
    ExecutionSummary {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// Of which function.
        function_id: FunctionId = FUNCTION,
        /// Of which version.
        version: String = "1",
        /// How far it is.
        status: ExecutionStatus = "failed",
        /// Why it did not complete.
        reason: Option<Reason> = "timeout",
        /// Why it did not complete, for people.
        error: Option<String> = "ran into its time limit of 30 s",
        /// How long the program ran, in milliseconds.
        duration: Option<f64> = 30_000.4,
        /// Most memory it held, in MiB.
        memory_used: Option<f64> = 4.2,
        /// Which try this was; 0 before the first.
        attempt: u32 = 1,
        /// When the call was accepted.
        queued_at: Timestamp = MOMENT,
        /// When a worker took it.
        started_at: Option<Timestamp> = MOMENT,
        /// When it ended.
        completed_at: Option<Timestamp> = MOMENT,
    }
}

impl From<call::Summary> for ExecutionSummary {
    fn from(row: call::Summary) -> Self {
        Self {
            execution_id: row.id,
            function_id: row.function,
            version: row.version.to_string(),
            status: row.status,
            reason: row.reason,
            error: row.error,
            duration: row.run_ms.map(milliseconds),
            memory_used: row.peak_memory_bytes.map(mebibytes),
            attempt: row.attempt.unsigned_abs(),
            queued_at: row.queued_at.into(),
            started_at: row.started_at.map(Timestamp::from),
            completed_at: row.completed_at.map(Timestamp::from),
        }
    }
}

/// Milliseconds as they are shown: microseconds are what can be measured here.
pub(super) fn milliseconds(measured: f64) -> f64 {
    (measured * 1000.0).round() / 1000.0
}

/// The unit in which memory is shown, with the decimals that a page of 4 KiB has.
pub(super) fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / 1_048_576.0 * 1000.0).round() / 1000.0
}

view! {
    /// One line that an execution wrote.
    LogLine {
        /// Who wrote it.
        execution_id: ExecutionId = EXECUTION,
        /// When it was read.
        at: Timestamp = MOMENT,
        /// Where it came from.
        stream: LogStream = "stderr",
        /// Without its line end.
        line: String = "sending to ann@example.com",
    }
}

impl From<call::LogEntry> for LogLine {
    fn from(row: call::LogEntry) -> Self {
        Self {
            execution_id: row.execution(),
            at: row.place.at.into(),
            stream: row.stream,
            line: row.line,
        }
    }
}

view! {
    /// What the compiler says about one place of the source.
    CompilerMessage {
        /// Path inside the source; null when it concerns no single file.
        file: Option<String> = "handler.go",
        /// Counted from 1.
        line: Option<u32> = 5,
        /// Counted from 1.
        column: Option<u32> = 2,
        /// Only errors fail a build.
        severity: Severity = "error",
        /// One sentence.
        message: String = "undefined: x",
    }
}

impl From<Diagnostic> for CompilerMessage {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            file: diagnostic.file,
            line: diagnostic.line,
            column: diagnostic.column,
            severity: diagnostic.severity,
            message: diagnostic.message,
        }
    }
}

view! {
    /// A build, as its function shows it.
    BuildSummary {
        /// The build.
        build_id: BuildId = BUILD,
        /// Of which version.
        version: String = "1",
        /// How far it is.
        status: BuildStatus = "failed",
        /// Why it failed, one word.
        reason: Option<String> = "compile_error",
        /// Why it failed, for people.
        message: Option<String> = "the source does not compile",
        /// What the compiler says about which line.
        diagnostics: Vec<CompilerMessage> = [CompilerMessage::example()],
        /// The end of what the compiler wrote.
        log_tail: String = "./handler.go:5:2: undefined: x",
    }
}

/// Most bytes of a build's log that its function shows.
const LOG_TAIL_BYTES: usize = 4096;

impl From<BuildReport> for BuildSummary {
    fn from(row: BuildReport) -> Self {
        Self {
            build_id: row.id,
            version: row.version.to_string(),
            status: row.status,
            reason: row.reason,
            message: row.message,
            diagnostics: row.diagnostics.into_iter().map(CompilerMessage::from).collect(),
            log_tail: tail(&row.log, LOG_TAIL_BYTES).to_owned(),
        }
    }
}

/// The last whole lines of a text that fit into `max_bytes`, or the end of its last line.
fn tail(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let end = &text[text.ceil_char_boundary(text.len() - max_bytes)..];
    match end.split_once('\n') {
        Some((_, lines)) if !lines.is_empty() => lines,
        _ => end,
    }
}

view! {
    /// A build, with everything the compiler said.
    Build {
        /// The build.
        build_id: BuildId = BUILD,
        /// Of which version.
        version: String = "1",
        /// How far it is.
        status: BuildStatus = "failed",
        /// Why it failed, one word.
        reason: Option<String> = "compile_error",
        /// Why it failed, for people.
        message: Option<String> = "the source does not compile",
        /// What the compiler says about which line.
        diagnostics: Vec<CompilerMessage> = [CompilerMessage::example()],
        /// What the compiler wrote.
        log: String = "./handler.go:5:2: undefined: x",
        /// True when it wrote more than was kept.
        log_truncated: bool = false,
        /// What compiled it; null unless it succeeded.
        toolchain: Option<String> = Value::Null,
        /// True when the same source was built before, so nothing had to be compiled.
        cached: bool = false,
        /// When it was asked for.
        queued_at: Timestamp = MOMENT,
        /// When a worker took it.
        started_at: Option<Timestamp> = MOMENT,
        /// When it ended.
        completed_at: Option<Timestamp> = MOMENT,
    }
}

impl From<BuildReport> for Build {
    fn from(row: BuildReport) -> Self {
        Self {
            build_id: row.id,
            version: row.version.to_string(),
            status: row.status,
            reason: row.reason,
            message: row.message,
            diagnostics: row.diagnostics.into_iter().map(CompilerMessage::from).collect(),
            log: row.log,
            log_truncated: row.log_truncated,
            toolchain: row.toolchain,
            cached: row.cached,
            queued_at: row.queued_at.into(),
            started_at: row.started_at.map(Timestamp::from),
            completed_at: row.completed_at.map(Timestamp::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_shown_with_three_decimals() {
        assert_eq!(milliseconds(1.234_567_8), 1.235);
        assert_eq!(milliseconds(30_000.0), 30_000.0);
        assert_eq!(mebibytes(4 * 1_048_576 + 4096), 4.004);
    }

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        assert_eq!(tail("one\ntwo\nthree\n", 12), "two\nthree\n");
        assert_eq!(tail("short", 12), "short");
        assert_eq!(tail("äääääää", 3), "ä");
    }
}
