//! How builds look from outside.

use serde_json::Value;
use shared::{
    domain::{BuildId, BuildStatus, Diagnostic, ErrorCode, Severity},
    store::build_report::BuildReport,
};

use crate::{
    examples::{BUILD, MOMENT},
    shape::{Timestamp, view},
};

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
        /// `FUNC_COMPILE_FAILED` when it failed because the source did not compile; else null.
        code: Option<String> = "FUNC_COMPILE_FAILED",
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

/// The error code for what the author can mend.
fn code(reason: Option<&str>) -> Option<String> {
    (reason == Some("compile_error")).then(|| ErrorCode::FuncCompileFailed.to_string())
}

/// Most bytes of a build's log that its function shows.
const LOG_TAIL_BYTES: usize = 4096;

impl From<BuildReport> for BuildSummary {
    fn from(row: BuildReport) -> Self {
        Self {
            build_id: row.id,
            version: row.version.to_string(),
            status: row.status,
            code: code(row.reason.as_deref()),
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
        /// `FUNC_COMPILE_FAILED` when it failed because the source did not compile; else null.
        code: Option<String> = "FUNC_COMPILE_FAILED",
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
            code: code(row.reason.as_deref()),
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
    fn only_a_source_that_does_not_compile_has_the_code_that_says_so() {
        assert_eq!(code(Some("compile_error")).as_deref(), Some("FUNC_COMPILE_FAILED"));
        assert_eq!([code(Some("timeout")), code(None)], [None, None]);
    }

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        assert_eq!(tail("one\ntwo\nthree\n", 12), "two\nthree\n");
        assert_eq!(tail("short", 12), "short");
        assert_eq!(tail("äääääää", 3), "ä");
    }
}
