//! From the bytes a function wrote to log lines: bounded, readable, and storable.

use std::time::{Duration, SystemTime};

use shared::{
    domain::{LogStream, log_level},
    store::execution::LogLine,
};

/// A longer line is cut into several, so that one line never fills a screen or an index.
const MAX_LINE_BYTES: usize = 8 << 10;

/// Splits what was read into lines, each with the time at which its end was read. Bytes that are
/// not UTF-8 become U+FFFD, and so does NUL, which Postgres cannot hold.
pub(super) fn log_lines(
    bytes: &[u8],
    chunks: &[(usize, Duration)],
    started_at: SystemTime,
) -> Vec<LogLine> {
    let mut lines = Vec::new();
    let mut chunks = chunks.iter().peekable();
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        while chunks.next_if(|(chunk_end, _)| *chunk_end < end).is_some() {}
        let read_after = chunks.peek().map_or(Duration::ZERO, |(_, at)| *at);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = String::from_utf8_lossy(line).replace('\0', "\u{fffd}");
        let level = log_level(&text);
        for text in pieces(&text) {
            let at = (started_at + read_after).into();
            lines.push(LogLine { at, stream: LogStream::Stderr, level, text });
        }
    }
    lines
}

fn pieces(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while rest.len() > MAX_LINE_BYTES {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(MAX_LINE_BYTES));
        pieces.push(piece.to_owned());
        rest = tail;
    }
    pieces.push(rest.to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        log_lines(bytes, &[], SystemTime::UNIX_EPOCH).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_end_at_newlines_and_the_last_needs_none() {
        assert_eq!(texts(b"one\r\ntwo\n\nfour"), ["one", "two", "", "four"]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn what_postgres_cannot_hold_is_replaced() {
        assert_eq!(texts(b"a\0b\xff\n"), ["a\u{fffd}b\u{fffd}"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let lines = texts("é".repeat(MAX_LINE_BYTES).as_bytes());
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE_BYTES));
        assert_eq!(lines.concat().chars().count(), MAX_LINE_BYTES);
    }

    #[test]
    fn a_line_has_the_time_at_which_its_end_was_read() {
        let chunks = [(3, Duration::from_secs(1)), (8, Duration::from_secs(2))];
        let lines = log_lines(b"a\nbcd\nef", &chunks, SystemTime::UNIX_EPOCH);
        let seconds: Vec<_> = lines.iter().map(|line| line.at.unix_timestamp()).collect();
        assert_eq!(seconds, [1, 2, 2]);
    }
}
