//! What the client reads of the API's answers. Fields that nobody shows are left out, so that newer
//! servers with more of them fit as well.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

/// One page of a list.
#[derive(Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Project {
    pub(crate) project_id: String,
    pub(crate) name: String,
}

#[derive(Deserialize)]
pub(crate) struct Function {
    pub(crate) function_id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) version: String,
    pub(crate) runtime: String,
    pub(crate) updated_at: String,
}

/// A function with its builds.
#[derive(Deserialize)]
pub(crate) struct FunctionDetails {
    #[serde(flatten)]
    pub(crate) function: Function,
    pub(crate) description: String,
    pub(crate) timeout: u64,
    pub(crate) memory: u64,
    pub(crate) network: String,
    /// Null: as many as the tenant may have.
    pub(crate) max_concurrency: Option<u64>,
    pub(crate) events: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    /// Names alone.
    pub(crate) secrets: Vec<String>,
    /// Of the version that serves, or of the only one.
    build: Build,
    /// Of a newer version that does not serve.
    newer_build: Option<Build>,
}

impl FunctionDetails {
    /// The build of the newest version.
    pub(crate) fn newest_build(&self) -> &Build {
        self.newer_build.as_ref().unwrap_or(&self.build)
    }
}

/// One version of a function.
#[derive(Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
    pub(crate) build_status: String,
    pub(crate) serves: bool,
    pub(crate) runtime: String,
    pub(crate) created_at: String,
}

#[derive(Deserialize)]
pub(crate) struct Build {
    pub(crate) build_id: String,
    pub(crate) version: String,
    pub(crate) status: String,
    pub(crate) message: Option<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) log_tail: String,
}

/// What a compiler says about one place of a source.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Diagnostic {
    pub(crate) file: Option<String>,
    /// Counted from 1.
    pub(crate) line: Option<usize>,
    /// Counted from 1.
    pub(crate) column: Option<usize>,
    pub(crate) severity: String,
    pub(crate) message: String,
}

/// What a call gave.
#[derive(Deserialize)]
pub(crate) struct Called {
    pub(crate) execution_id: String,
    pub(crate) output: Box<RawValue>,
    /// Milliseconds.
    pub(crate) duration: f64,
    /// MiB.
    pub(crate) memory_used: f64,
    pub(crate) logs: String,
}

/// A call that will be carried out.
#[derive(Deserialize)]
pub(crate) struct Queued {
    pub(crate) execution_id: String,
}

#[derive(Deserialize)]
pub(crate) struct Execution {
    pub(crate) execution_id: String,
    pub(crate) version: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<String>,
    /// Milliseconds.
    pub(crate) duration: Option<f64>,
    pub(crate) queued_at: String,
}

/// One line that an execution wrote.
#[derive(Deserialize)]
pub(crate) struct LogLine {
    pub(crate) execution_id: String,
    /// Its place among the lines of the execution.
    pub(crate) seq: u64,
    /// When it was read.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) t: OffsetDateTime,
    pub(crate) text: String,
}

impl Execution {
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    /// `failed (timeout): ran into its time limit of 30 s`
    pub(crate) fn ending(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})"));
        let error = self.error.as_ref().map(|error| format!(": {error}"));
        format!("{}{}{}", self.status, reason.unwrap_or_default(), error.unwrap_or_default())
    }
}
