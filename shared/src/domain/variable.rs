//! Environment variables that an author gives a function: plain ones and secrets, under the same
//! rules.

use std::{collections::BTreeMap, fmt, str::FromStr};

/// Variables of one kind, plain or secret, that a version may have.
pub const MAX_VARIABLES: usize = 64;

/// Names and values of one kind together: a program's environment is copied at every call.
pub const MAX_VARIABLES_BYTES: usize = 16 * 1024;

/// Starts of names that belong to the platform or steer the loader of a program.
const RESERVED_PREFIXES: [&str; 2] = ["APPRUN_", "LD_"];

/// Names that belong to the platform: what it sets itself, and what would undo its limits.
const RESERVED: [&str; 13] = [
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOGC",
    "GODEBUG",
    "GOTRACEBACK",
    "RUST_BACKTRACE",
    "RUST_MIN_STACK",
    "TRACEPARENT",
    "PATH",
    "HOME",
    "TMPDIR",
    "PWD",
    "SHELL",
];

/// The name of a variable that an author may set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct VariableName(String);

impl VariableName {
    /// Most characters one can have.
    pub const MAX_CHARS: usize = 128;

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a name was refused; reads after the name itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the description")]
pub enum VariableError {
    #[error("is no name of a variable: letters, digits and '_', at most 128, no digit in front")]
    Form,
    #[error("is set by the platform and cannot be chosen")]
    Reserved,
}

impl FromStr for VariableName {
    type Err = VariableError;

    fn from_str(text: &str) -> Result<Self, VariableError> {
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        let part = |c: char| letter(c) || c.is_ascii_digit();
        if text.len() > Self::MAX_CHARS || !text.starts_with(letter) || !text.chars().all(part) {
            return Err(VariableError::Form);
        }
        let folded = text.to_ascii_uppercase();
        let by_prefix = RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix));
        if by_prefix || RESERVED.contains(&folded.as_str()) {
            return Err(VariableError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Plain variables by name.
pub type Variables = BTreeMap<VariableName, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_shell_takes() {
        for good in ["A", "_x", "DATABASE_URL", "a1"] {
            assert_eq!(good.parse::<VariableName>().unwrap().as_str(), good);
        }
        for bad in ["", "1A", "A-B", "A=B", "A B", "Ä", "A\0", &"A".repeat(129)] {
            assert_eq!(bad.parse::<VariableName>(), Err(VariableError::Form), "{bad:?}");
        }
    }

    #[test]
    fn names_of_the_platform_are_refused_however_they_are_written() {
        for bad in ["APPRUN_ATTEMPT", "apprun_x", "GOMAXPROCS", "GoMemLimit", "LD_PRELOAD", "PATH"]
        {
            assert_eq!(bad.parse::<VariableName>(), Err(VariableError::Reserved), "{bad}");
        }
    }
}
