//! Decides whether a program's output is one JSON document that can be stored and passed on.

use serde_json::Value;

/// Why bytes are not an acceptable JSON document. Reads after "the output".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// Nothing but white space.
    #[error("is empty: exactly one JSON document is expected on stdout")]
    Empty,
    /// Bytes that are no text.
    #[error("is not UTF-8: byte {position} is wrong")]
    NotUtf8 {
        /// Counted from 0.
        position: usize,
    },
    /// A second document, or text, after the first.
    #[error("holds more than one JSON document: the second starts at line {line} column {column}")]
    MoreThanOne {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// No JSON, a number nobody can hold, or nesting deeper than 127.
    #[error("is not a usable JSON document: {0}")]
    Malformed(String),
}

/// Returns the document as it was written (digits and order of keys unchanged, outer white space
/// removed).
pub(crate) fn check(output: &[u8]) -> Result<String, DocumentError> {
    let text = std::str::from_utf8(output)
        .map_err(|error| DocumentError::NotUtf8 { position: error.valid_up_to() })?
        .trim_matches([' ', '\t', '\n', '\r']);
    if text.is_empty() {
        return Err(DocumentError::Empty);
    }
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match documents.next() {
        Some(Ok(_)) => {}
        Some(Err(error)) => return Err(DocumentError::Malformed(error.to_string())),
        None => return Err(DocumentError::Empty),
    }
    let end = documents.byte_offset();
    if end < text.len() {
        let (line, column) = line_and_column(text, end);
        return Err(DocumentError::MoreThanOne { line, column });
    }
    Ok(text.to_owned())
}

fn line_and_column(text: &str, end: usize) -> (usize, usize) {
    let blank = text[end..].len() - text[end..].trim_start().len();
    let before = &text[..end + blank];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(output: &[u8]) -> String {
        check(output).unwrap_err().to_string()
    }

    #[test]
    fn one_document_passes_unchanged() {
        for text in [
            "null",
            "\"x\"",
            "-0",
            "{\"b\":1,\"a\":2}",
            "123456789012345678901234567890",
            "[9007199254740993]",
            "1.0e10",
            "{\"a\":1,\"a\":2}",
            // An escape, not a NUL byte: a text column holds it.
            "{\"a\\u0000\":\"\\u0000\"}",
        ] {
            assert_eq!(check(text.as_bytes()).as_deref(), Ok(text));
        }
        assert_eq!(check(b" \r\n{}\t\n").as_deref(), Ok("{}"));
    }

    #[test]
    fn every_kind_of_bad_output_says_what_is_wrong() {
        let deep = "[".repeat(100_000);
        let cases: [(&[u8], &str); 12] = [
            (b"", "is empty"),
            (b" \n", "is empty"),
            (b"hello", "not a usable JSON"),
            (b"{\"a\":", "EOF"),
            (b"\xff\xfe", "not UTF-8: byte 0"),
            (b"\"a\xc3\"", "not UTF-8: byte 2"),
            (b"\xef\xbb\xbf{}", "not a usable JSON"),
            (b"{}\n{}", "more than one JSON document: the second starts at line 2 column 1"),
            (b"{} trailing", "line 1 column 4"),
            (b"1e400", "number out of range"),
            (b"\"\\ud800\"", "not a usable JSON"),
            (deep.as_bytes(), "recursion limit"),
        ];
        for (output, expected) in cases {
            let message = refusal(output);
            assert!(message.contains(expected), "{message}");
        }
        assert!(refusal(b"\"\0\"").contains("control character"));
    }
}
