//! What a compiler says about one place of a source.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text_enum::text_enum;

text_enum!(
    /// How bad it is. Only errors fail a build.
    Severity { Error = "error", Warning = "warning" }
);

/// One message of a compiler, pointing into the author's own files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Path inside the source bundle; none when the message concerns no single file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// Counted from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// Counted from 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub column: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence, in a few lines where the compiler needs them.
    pub message: String,
}

impl Diagnostic {
    /// An error that concerns no single place.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            severity: Severity::Error,
            message: message.into(),
        }
    }

    /// The same message, at a place.
    #[must_use]
    pub fn at(self, file: impl Into<String>, line: u32, column: u32) -> Self {
        Self { file: Some(file.into()), line: Some(line), column: Some(column), ..self }
    }
}

impl fmt::Display for Diagnostic {
    /// `handler.go:5:2: error: undefined: x`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = [self.file.clone(), self.line.map(text), self.column.map(text)];
        for part in place.into_iter().flatten() {
            write!(f, "{part}:")?;
        }
        let space = if self.file.is_some() { " " } else { "" };
        write!(f, "{space}{}: {}", self.severity, self.message)
    }
}

fn text(number: u32) -> String {
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_compiler_message() {
        let placed = Diagnostic::error("undefined: x").at("handler.go", 5, 2);
        assert_eq!(placed.to_string(), "handler.go:5:2: error: undefined: x");
        assert_eq!(Diagnostic::error("no handler").to_string(), "error: no handler");
    }

    #[test]
    fn json_leaves_out_a_place_that_is_not_known() {
        let json = serde_json::to_string(&Diagnostic::error("no handler")).unwrap();
        assert_eq!(json, r#"{"severity":"error","message":"no handler"}"#);
    }
}
