//! How a compiled function tells the platform what happened, and how that is read. Both generated
//! mains (`toolchain/*/template`) speak it, and so may a source that brings its own `main`.
//!
//! | exit status | stdout | means |
//! |---|---|---|
//! | 0 | the output, one JSON document | success |
//! | 121 | `{"error": "message"}` | the handler returned an error |
//! | 122 | `{"error": "message"}` | the handler panicked; the trace is in the log |
//! | 123 | `{"error": "message"}` | the input does not fit the handler's type |
//! | 124 | `{"error": "message"}` | the output cannot be written as JSON |
//! | anything else | ignored | the program failed by itself |
//!
//! stdin holds the input as one JSON document, stderr is the log. A generated main moves the real
//! stdout aside before the handler runs and points descriptor 1 at the log. `APPRUN_DEADLINE`
//! (RFC 3339) ends the context of a Go handler.

use sandbox::{Ended, KillReason, Outcome};
use serde::Deserialize;
use shared::domain::Reason;

use crate::{document, log};

const RETURNED_ERROR: i32 = 121;
const PANICKED: i32 = 122;
const INPUT_REFUSED: i32 = 123;
const OUTPUT_REFUSED: i32 = 124;

/// A longer error message is cut: it is stored with each execution and shown in lists.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;

/// What one call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionResult {
    /// The handler did its work.
    Completed {
        /// One valid JSON document, as the function wrote it.
        output: String,
    },
    /// It did not.
    Failed {
        /// From the closed list.
        reason: Reason,
        /// For the caller, at most 16 KiB.
        message: String,
    },
}

/// Reads the end of a run. Pure; the same bytes always mean the same.
pub fn interpret(outcome: &Outcome) -> FunctionResult {
    match outcome.ended {
        Ended::Exited(0) => completed(&outcome.stdout),
        Ended::Exited(status) => failed_by_itself(status, outcome),
        Ended::Signalled(signal) => failed(Reason::Signal, signal_message(signal)),
        Ended::Killed(kill) => killed(kill),
    }
}

fn completed(stdout: &[u8]) -> FunctionResult {
    match document::check(stdout) {
        Ok(output) => FunctionResult::Completed { output },
        Err(error) => failed(Reason::InvalidOutput, format!("the output {error}")),
    }
}

fn failed_by_itself(status: i32, outcome: &Outcome) -> FunctionResult {
    let reason = match status {
        RETURNED_ERROR | PANICKED | INPUT_REFUSED => Some(Reason::FunctionError),
        OUTPUT_REFUSED => Some(Reason::InvalidOutput),
        _ => None,
    };
    if let Some((reason, report)) = reason.zip(report(&outcome.stdout)) {
        return failed(reason, report.error);
    }
    match panic_in_log(&outcome.stderr) {
        Some(message) => failed(Reason::FunctionError, message),
        None => failed(Reason::NonzeroExit, format!("the program ended with exit status {status}")),
    }
}

/// The document beside the statuses of the protocol.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    error: String,
}

fn report(stdout: &[u8]) -> Option<Report> {
    serde_json::from_slice(stdout).ok()
}

/// A panic outside the handler (another goroutine or thread, an own `main`) ends the program by the
/// language's own means; its first line is in the log.
fn panic_in_log(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let mut lines = text.lines();
    let line = lines.find(|line| {
        let go = line.starts_with("panic: ") || line.starts_with("fatal error: ");
        let rust = line.starts_with("thread '") && line.contains("' panicked at ");
        let rust_with_id = line.starts_with("thread '") && line.contains(") panicked at ");
        go || rust || rust_with_id
    })?;
    let is_rust = line.starts_with("thread '");
    let message = if is_rust { lines.next().map(|next| format!("{line} {next}")) } else { None };
    Some(message.unwrap_or_else(|| line.to_owned()))
}

fn signal_message(signal: i32) -> String {
    let name = match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    };
    format!("the program was ended by signal {signal}{name}")
}

fn killed(kill: KillReason) -> FunctionResult {
    let (reason, message) = match kill {
        KillReason::Timeout => (Reason::Timeout, "it ran longer than its timeout"),
        KillReason::CpuLimit => (Reason::CpuLimit, "it used more processor time than allowed"),
        KillReason::OutOfMemory => (Reason::Oom, "it needed more memory than its limit"),
        KillReason::OutputLimit => (Reason::OutputLimit, "its output is larger than allowed"),
        KillReason::PidsLimit => (Reason::PidsLimit, "it started too many processes or threads"),
        KillReason::DiskLimit => (Reason::DiskLimit, "it wrote more to disk than allowed"),
        KillReason::SandboxViolation => {
            (Reason::SandboxViolation, "it made a system call that functions must not make")
        }
        KillReason::Cancelled => (Reason::Cancelled, "it was cancelled"),
    };
    failed(reason, message)
}

fn failed(reason: Reason, message: impl AsRef<str>) -> FunctionResult {
    let mut message = log::clean(message.as_ref());
    if message.len() > MAX_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        message.push('…');
    }
    FunctionResult::Failed { reason, message }
}

#[cfg(test)]
mod tests {
    use sandbox::Usage;

    use super::*;

    fn outcome(ended: Ended, stdout: &str, stderr: &str) -> Outcome {
        Outcome {
            ended,
            stdout: stdout.into(),
            stderr: stderr.into(),
            stderr_times: Vec::new(),
            stderr_truncated: false,
            collected: None,
            usage: Usage::default(),
        }
    }

    fn exited(status: i32, stdout: &str, stderr: &str) -> FunctionResult {
        interpret(&outcome(Ended::Exited(status), stdout, stderr))
    }

    fn failure(reason: Reason, message: &str) -> FunctionResult {
        FunctionResult::Failed { reason, message: message.into() }
    }

    #[test]
    fn status_zero_with_a_document_is_success() {
        let output = r#"{"n":9007199254740993}"#.to_owned();
        assert_eq!(exited(0, &format!("{output}\n"), ""), FunctionResult::Completed { output });
    }

    #[test]
    fn status_zero_without_a_document_is_invalid_output() {
        for stdout in ["", "done", "{} {}"] {
            let result = exited(0, stdout, "");
            let FunctionResult::Failed { reason, message } = result else { panic!("{stdout}") };
            assert_eq!(reason, Reason::InvalidOutput);
            assert!(message.starts_with("the output "), "{message}");
        }
    }

    #[test]
    fn each_status_of_the_protocol_has_its_reason() {
        let cases = [
            (121, Reason::FunctionError),
            (122, Reason::FunctionError),
            (123, Reason::FunctionError),
            (124, Reason::InvalidOutput),
        ];
        for (status, reason) in cases {
            assert_eq!(exited(status, r#"{"error":"boom"}"#, ""), failure(reason, "boom"));
        }
    }

    #[test]
    fn a_status_of_the_protocol_without_its_document_is_a_plain_exit() {
        for stdout in ["", "{}", r#"{"error":7}"#, r#"{"error":"x","more":1}"#] {
            let expected = failure(Reason::NonzeroExit, "the program ended with exit status 121");
            assert_eq!(exited(121, stdout, ""), expected);
        }
        let other = failure(Reason::NonzeroExit, "the program ended with exit status 3");
        assert_eq!(exited(3, r#"{"error":"boom"}"#, ""), other);
    }

    #[test]
    fn a_panic_outside_the_handler_is_found_in_the_log() {
        let go = exited(2, "", "working\npanic: boom\n\ngoroutine 7 [running]:\n");
        assert_eq!(go, failure(Reason::FunctionError, "panic: boom"));
        let rust = exited(101, "", "thread 'main' (7) panicked at handler.rs:3:5:\nboom\n");
        let message = "thread 'main' (7) panicked at handler.rs:3:5: boom";
        assert_eq!(rust, failure(Reason::FunctionError, message));
    }

    #[test]
    fn kills_and_signals_keep_their_reason() {
        let timeout = interpret(&outcome(Ended::Killed(KillReason::Timeout), "{}", ""));
        assert_eq!(timeout, failure(Reason::Timeout, "it ran longer than its timeout"));
        let signal = interpret(&outcome(Ended::Signalled(11), "{}", ""));
        let message = "the program was ended by signal 11 (SIGSEGV)";
        assert_eq!(signal, failure(Reason::Signal, message));
    }

    #[test]
    fn messages_are_bounded_and_free_of_control_characters() {
        let error = format!(r#"{{"error":"a\u0000\u001b[31m{}"}}"#, "ä".repeat(20_000));
        let FunctionResult::Failed { message, .. } = exited(121, &error, "") else { panic!() };
        assert!(message.starts_with("aä") && message.ends_with("ä…"));
        assert!(message.len() <= MAX_MESSAGE_BYTES + '…'.len_utf8());
    }
}
