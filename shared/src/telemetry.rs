//! The log of a process: for people on a terminal, one JSON line per event for everything else.
//! Written to standard error, so that a command's own output stays clean. Beside it the spans that a
//! collector is told of.

mod spans;

use std::{
    error::Error,
    io::{IsTerminal, stderr},
    panic,
};

pub use self::spans::{Attribute, Span, SpanKind, SpansError, export_spans, flush_spans, tell};
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt};

use crate::domain::text_enum::text_enum;

text_enum!(
    /// How events are written.
    LogFormat {
        /// One readable line.
        Human = "human",
        /// One JSON object a line: `timestamp`, `level`, `message`, and every field beside them.
        Json = "json",
    }
);

impl LogFormat {
    /// Readable when somebody is looking, JSON when a collector is.
    pub fn detect() -> Self {
        if stderr().is_terminal() { Self::Human } else { Self::Json }
    }
}

/// Starts the log of this process; a second call changes nothing. `filter` is `APPRUN_LOG`.
pub fn init(filter: &str, format: LogFormat) -> Result<(), ParseError> {
    let events = fmt().with_env_filter(EnvFilter::try_new(filter)?).with_writer(stderr);
    // The only failure is a log that is already there, as in tests that share a process.
    let _ = match format {
        LogFormat::Human => {
            events.with_target(false).with_ansi(stderr().is_terminal()).compact().try_init()
        }
        LogFormat::Json => {
            log_panics();
            events.json().flatten_event(true).with_span_list(false).try_init()
        }
    };
    Ok(())
}

/// Whatever reads the log line by line is not made to stumble over a panic; a filter that drops all
/// events does not hide one.
fn log_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !tracing::enabled!(tracing::Level::ERROR) {
            return print(info);
        }
        let panic = info.payload_as_str().unwrap_or("without a text");
        let location = info.location().map(tracing::field::display);
        tracing::error!(panic, location, "a thread panicked");
    }));
}

/// An error with all of its sources, on one line: what a log shows and a caller never sees.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
