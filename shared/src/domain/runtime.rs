//! The language version a source asks for: `go1.N` or `rust`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::text_enum::shortened;

/// What a source is written in. An installed toolchain that is new enough serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Runtime {
    /// Go 1.`minor`.
    Go {
        /// The N of `go1.N`.
        minor: u16,
    },
    /// Rust, the installed stable toolchain.
    Rust,
}

impl Runtime {
    /// `go` or `rust`.
    pub const fn language(self) -> &'static str {
        match self {
            Self::Go { .. } => "go",
            Self::Rust => "rust",
        }
    }

    /// Where a source sent as one text is kept: the name its author sees in diagnostics.
    pub const fn default_file_name(self) -> &'static str {
        match self {
            Self::Go { .. } => "handler.go",
            Self::Rust => "handler.rs",
        }
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "rust" {
            return Ok(Self::Rust);
        }
        go_minor(text)
            .map(|minor| Self::Go { minor })
            .ok_or_else(|| UnknownRuntime { found: shortened(text) })
    }
}

/// The N of `go1.N`: three digits at most, without leading zeros, so that one version has one spelling.
fn go_minor(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("go1.")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if plain && !leading_zero && digits.len() <= 3 { digits.parse().ok() } else { None }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Go { minor } => write!(f, "go1.{minor}"),
            Self::Rust => f.write_str("rust"),
        }
    }
}

impl From<Runtime> for String {
    fn from(runtime: Runtime) -> Self {
        runtime.to_string()
    }
}

impl TryFrom<String> for Runtime {
    type Error = UnknownRuntime;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A text that names no runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be \"go1.N\" (for example \"go1.21\") or \"rust\", found '{found}'")]
pub struct UnknownRuntime {
    /// What was given, shortened.
    pub found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_are_read_and_written_back() {
        for text in ["go1.0", "go1.21", "go1.99", "rust"] {
            assert_eq!(text.parse::<Runtime>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_is_accepted() {
        for text in
            ["", "go", "go1", "go1.", "go1.021", "go1.21.3", "go1.+1", "go2.1", "Go1.21", "rust1.9"]
        {
            let error = text.parse::<Runtime>().unwrap_err().to_string();
            assert!(error.contains("go1.N") && error.contains("rust"), "{text}: {error}");
        }
    }
}
