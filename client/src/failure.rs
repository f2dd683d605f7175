//! Why a command ended early: one line for people, an envelope for programs, and the exit code, which
//! says what to do next.

use std::io;

use serde_json::{Value, json};

use crate::server::Refusal;

/// The exit codes, as every command's help and docs/cli.md print them.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0  done
  1  the function or its build failed
  2  usage: something in the command, its input or its folder is not right
  3  not logged in, or not allowed
  4  there is no such thing
  5  the server is out of reach, busy or in trouble";

pub(crate) const EXIT_FUNCTION: u8 = 1;
pub(crate) const EXIT_USAGE: u8 = 2;
pub(crate) const EXIT_NOT_ALLOWED: u8 = 3;
pub(crate) const EXIT_NOT_FOUND: u8 = 4;
pub(crate) const EXIT_SERVER: u8 = 5;

/// What a command can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server said no, and why.
    #[error("{}", .0.message)]
    Refused(Box<Refusal>),
    /// What was typed, or what it names on this machine, cannot be used.
    #[error("{0}")]
    Usage(String),
    #[error("not logged in to {server}")]
    NotLoggedIn { server: String },
    /// A name that no list of the server holds; what looks like it, if anything does.
    #[error("there is no {kind} {name:?}{}", did_you_mean(.nearest.as_deref()))]
    NoSuch { kind: &'static str, name: String, nearest: Option<String> },
    #[error("there is no project yet")]
    NoProject,
    #[error("cannot reach {server}: {cause}")]
    Unreachable { server: String, cause: String },
    #[error("{server} did not answer like an apprun server (HTTP status {status})")]
    Stranger { server: String, status: u16 },
    /// The build of a version failed; the details are those of the build.
    #[error("{message}")]
    BuildFailed { message: String, details: Value, request_id: Option<String> },
    /// A build that waits for what no worker of the server has.
    #[error("{0}")]
    NotBuilding(String),
    /// An execution that was waited for did not complete; the answer has been printed already.
    #[error("{0}")]
    ExecutionFailed(String),
    #[error("cannot use {path}: {source}")]
    Credentials { path: String, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// Tells a script what to do next.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(refusal) => refusal.exit_code(),
            Self::Usage(_) | Self::NoProject | Self::Credentials { .. } => EXIT_USAGE,
            Self::NotLoggedIn { .. } => EXIT_NOT_ALLOWED,
            Self::NoSuch { .. } => EXIT_NOT_FOUND,
            Self::Unreachable { .. } | Self::Stranger { .. } => EXIT_SERVER,
            Self::NotBuilding(_) | Self::Output(_) => EXIT_SERVER,
            Self::BuildFailed { .. } | Self::ExecutionFailed(_) => EXIT_FUNCTION,
        }
    }

    /// What to type next, where that is known.
    pub(crate) fn next(&self) -> Option<String> {
        match self {
            Self::NotLoggedIn { .. } => Some("apprun login".to_owned()),
            Self::Refused(refusal) => refusal.next(),
            Self::NoProject => Some("apprun project create my-project".to_owned()),
            Self::NoSuch { kind: "function", .. } => Some("apprun functions list".to_owned()),
            Self::NoSuch { kind: "project", .. } => Some("apprun project list".to_owned()),
            Self::NoSuch { kind: "tenant", .. } => Some("apprun tenants list".to_owned()),
            Self::NoSuch { kind: "member", .. } => Some("apprun members list".to_owned()),
            _ => None,
        }
    }

    /// The failure in the API's envelope: what the server sent, or the same shape for what was noticed
    /// here. None where an envelope was printed already.
    pub(crate) fn envelope(&self) -> Option<String> {
        let message = self.to_string();
        let envelope = match self {
            Self::Refused(refusal) => return Some(refusal.envelope.clone()),
            Self::ExecutionFailed(_) | Self::Output(_) => return None,
            Self::Usage(_) | Self::Credentials { .. } => envelope(400, "USAGE", &message),
            Self::NotLoggedIn { .. } => envelope(401, "UNAUTHENTICATED", &message),
            Self::NoSuch { kind: "function", .. } => envelope(404, "FUNC_NOT_FOUND", &message),
            Self::NoSuch { .. } | Self::NoProject => envelope(404, "NOT_FOUND", &message),
            Self::Unreachable { .. } => envelope(503, "UNREACHABLE", &message),
            Self::NotBuilding(_) => envelope(503, "NO_TOOLCHAIN", &message),
            Self::Stranger { .. } => envelope(502, "NOT_APPRUN", &message),
            Self::BuildFailed { details, request_id, .. } => {
                let mut failed = envelope(500, "FUNC_COMPILE_FAILED", &message);
                failed["error"]["details"] = details.clone();
                failed["request_id"] = json!(request_id);
                failed
            }
        };
        Some(envelope.to_string())
    }
}

/// The envelope of a command line that could not be understood.
pub fn usage_envelope(message: &str) -> String {
    envelope(400, "USAGE", message).to_string()
}

fn envelope(code: u16, error: &str, message: &str) -> Value {
    json!({
        "success": false,
        "code": code,
        "error": { "code": error, "message": message, "details": {} },
        "request_id": null,
    })
}
