//! How grave a line of a function's log is, read from where the usual loggers write it: slog, log,
//! zap, logrus and zerolog in Go; log, env_logger and tracing in Rust. A guess made for filters and
//! colours: the line itself is never changed by it.

use std::borrow::Cow;

use serde::Deserialize;

use super::text_enum::text_enum;

/// Loggers write the level at the front; a longer head is searched by nobody.
const MAX_HEAD_BYTES: usize = 256;
/// A date, a time, a zone or fraction, and one more word stand before the level at most.
const MAX_WORDS: usize = 5;

text_enum!(
    /// From the least grave to the gravest. What ends a program (fatal, panic) is an error.
    Level {
        Trace = "trace",
        Debug = "debug",
        Info = "info",
        Warn = "warn",
        Error = "error",
    }
);

/// The level of one line, without its end. `Info` for what no logger wrote.
///
/// A JSON line is read whole, so ask before a long line is cut.
pub fn log_level(line: &str) -> Level {
    if line.starts_with('{') {
        return in_json(line).unwrap_or(Level::Info);
    }
    let head = &line[..line.floor_char_boundary(MAX_HEAD_BYTES)];
    let head = without_colours(head);
    let head = head.trim_start();
    let found = if is_crash(head) {
        Some(Level::Error)
    } else if ["time=", "ts=", "level="].iter().any(|first| head.starts_with(first)) {
        in_pairs(head)
    } else {
        in_words(head)
    };
    found.unwrap_or(Level::Info)
}

/// `{"time":"…","level":"INFO","msg":"…"}`
fn in_json(line: &str) -> Option<Level> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        level: Cow<'a, str>,
    }
    serde_json::from_str::<Line<'_>>(line).ok().and_then(|line| named(&line.level))
}

/// `time=2026-01-02T03:04:05Z level=WARN+1 msg="…"`; the level comes before any text of the author.
fn in_pairs(head: &str) -> Option<Level> {
    let value = match head.strip_prefix("level=") {
        Some(value) => value,
        None => head.split_once(" level=")?.1,
    };
    named(value.split(' ').next()?.trim_matches('"'))
}

/// `2026/01/02 03:04:05 INFO …`, `[2026-01-02T03:04:05Z WARN  crate] …`, `10:00AM ERR …`,
/// `DEBU[0001] …`, `error: …`: the first word that is not a time.
fn in_words(head: &str) -> Option<Level> {
    let words = head.split_whitespace().take(MAX_WORDS);
    let word = words.into_iter().find(|word| !is_time(word))?;
    // Prose may begin with a level's name; loggers shout it, or set it apart.
    let bare = word.trim_matches(['[', ']', '<', '>', '(', ')', ':', '|']);
    let bare = bare.split('[').next()?;
    let set_apart = bare.len() < word.len();
    let shouted = bare.bytes().all(|byte| !byte.is_ascii_lowercase());
    // zap's console begins with its time, and its level may be written small.
    let behind_time = !head.starts_with(word) && word.len() == bare.len() && head.contains('\t');
    if set_apart || shouted || behind_time { named(bare) } else { None }
}

/// Times begin with a digit, brackets left aside, or are a zone.
fn is_time(word: &str) -> bool {
    let word = word.trim_start_matches(['[', '(']);
    word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) || word == "UTC"
}

/// What the languages themselves print when a program breaks off.
fn is_crash(head: &str) -> bool {
    let rust = head.starts_with("thread '") && head.contains(" panicked at ");
    rust || head.starts_with("panic: ") || head.starts_with("fatal error: ")
}

/// The spellings of all of them; slog adds a distance: `DEBUG-4`, `ERROR+2`.
fn named(word: &str) -> Option<Level> {
    let name = word.split(['+', '-']).next().unwrap_or_default();
    Some(match name.to_ascii_lowercase().as_str() {
        "trace" | "trc" | "trac" => Level::Trace,
        "debug" | "dbg" | "debu" => Level::Debug,
        "info" | "inf" | "notice" => Level::Info,
        "warn" | "warning" | "wrn" => Level::Warn,
        "error" | "err" | "erro" | "fatal" | "ftl" | "fata" | "panic" | "pnc" | "pani"
        | "dpanic" | "critical" => Level::Error,
        _ => return None,
    })
}

/// tracing and zerolog colour what they write even where nobody sees it.
fn without_colours(head: &str) -> Cow<'_, str> {
    if !head.contains('\u{1b}') {
        return Cow::Borrowed(head);
    }
    let mut pieces = head.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // `[2m`, `[38;5;1m`: parameters, then one letter.
        let end = piece.find(|c: char| c.is_ascii_alphabetic()).map_or(piece.len(), |at| at + 1);
        plain.push_str(&piece[end..]);
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::{Level::*, *};

    #[test]
    fn levels_are_found_where_the_usual_loggers_write_them() {
        let lines = [
            // slog: text, JSON, and through the log package
            ("time=2026-01-02T03:04:05.678Z level=INFO msg=hello n=1", Info),
            ("time=2026-01-02T03:04:05.678Z level=DEBUG-4 msg=\"level=ERROR\"", Debug),
            ("level=ERROR+2 msg=hello", Error),
            (r#"{"time":"2026-01-02T03:04:05Z","level":"WARN","msg":"level error"}"#, Warn),
            ("2026/01/02 03:04:05 WARN slow path n=1", Warn),
            ("2026/01/02 03:04:05.000001 ERROR broken", Error),
            // Go's log, which has no levels
            ("2026/01/02 03:04:05 ERRATIC is no level", Info),
            ("2026/01/02 03:04:05 hello", Info),
            // zap: production, console
            (r#"{"level":"error","ts":1767323045.1,"caller":"a.go:3","msg":"x"}"#, Error),
            (r#"{"level":"dpanic","ts":1767323045.1,"msg":"x"}"#, Error),
            ("2026-01-02T03:04:05.678Z\tDEBUG\ta.go:3\thello\t{\"n\": 1}", Debug),
            ("1.767323045e+09\twarn\ta.go:3\thello", Warn),
            // logrus: text, terminal, JSON
            ("time=\"2026-01-02T03:04:05Z\" level=warning msg=\"a walrus\"", Warn),
            ("time=\"2026-01-02T03:04:05Z\" level=fatal msg=x", Error),
            ("INFO[0000] a walrus appears", Info),
            ("\u{1b}[33mWARN\u{1b}[0m[0001] a walrus appears", Warn),
            (r#"{"animal":"walrus","level":"trace","msg":"x","time":"2026"}"#, Trace),
            // zerolog: JSON, console
            (r#"{"level":"debug","time":1767323045,"message":"hello"}"#, Debug),
            ("10:00AM ERR hello error=boom", Error),
            ("\u{1b}[90m10:00AM\u{1b}[0m \u{1b}[32mINF\u{1b}[0m \u{1b}[1mhello\u{1b}[0m", Info),
            ("2026-01-02T03:04:05Z TRC hello", Trace),
            // env_logger, simple_logger
            ("[2026-01-02T03:04:05Z ERROR handler] hello", Error),
            ("[2026-01-02T03:04:05Z INFO  handler::db] error: none", Info),
            ("2026-01-02T03:04:05.678Z WARN  [handler] hello", Warn),
            // tracing: full, compact with colours, JSON
            ("2026-01-02T03:04:05.678901Z TRACE handler: hello", Trace),
            ("\u{1b}[2m2026-01-02T03:04:05.6Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m handler: x", Error),
            (r#"{"timestamp":"2026","level":"DEBUG","fields":{"message":"x"}}"#, Debug),
            (" WARN handler: without time", Warn),
            // Set apart by hand
            ("[WARN] careful", Warn),
            ("error: broken", Error),
            ("warning: unused", Warn),
            ("ERROR: broken", Error),
            // The languages' own last words
            ("panic: boom", Error),
            ("fatal error: all goroutines are asleep - deadlock!", Error),
            ("thread 'main' (7) panicked at handler.rs:3:5:", Error),
        ];
        for (line, expected) in lines {
            assert_eq!(log_level(line), expected, "{line}");
        }
    }

    #[test]
    fn what_no_logger_wrote_is_information() {
        for line in [
            "",
            " ",
            "hello",
            "Error handling is hard",
            "debug mode is off",
            "goroutine 1 [running]:",
            "thread 'main' sleeps",
            "{\"level\":7}",
            "{\"level\":\"error\"",
            "{\"msg\":\"x\"}",
            "level=7 msg=x",
            "time=x msg=\"no level\"",
            "[",
            "\u{1b}",
            "\u{1b}[31",
            "ä\u{1b}[ä",
        ] {
            assert_eq!(log_level(line), Info, "{line:?}");
        }
        let late = format!("{}ERROR", "x ".repeat(300));
        assert_eq!(log_level(&late), Info);
        assert_eq!(log_level(&"ä".repeat(1000)), Info);
    }
}
