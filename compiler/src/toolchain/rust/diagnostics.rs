//! Reads what cargo and rustc print into diagnostics that point into the author's files.

use std::collections::BTreeSet;

use shared::domain::{Diagnostic, Severity};

use super::plan::MAIN_FILE;
use crate::{
    plan::BuildPlan,
    toolchain::{MAX_DIAGNOSTICS, scan::Function},
};

const SIGNATURE: &str = "pub fn handler(input: In) -> Result<Out, E>, where In is \
                         serde::Deserialize, Out is serde::Serialize and E is Display";

const OWN_MAIN: &str = "your own fn main";

/// Lines kept of what follows a message without a place.
const MAX_DETAILS: usize = 4;

/// One message with what rustc drew below it.
struct Message<'a> {
    severity: Severity,
    text: &'a str,
    place: Option<(&'a str, u32, u32)>,
    label: Option<&'a str>,
    /// The type of the handler, in messages about its signature.
    found_type: Option<&'a str>,
    /// What cargo adds to a message of its own: names, versions, places it searched.
    details: Vec<&'a str>,
}

/// `log` is clean text. Summaries ("could not compile …") are left out unless they are all there is.
pub(crate) fn parse(log: &str, plan: &BuildPlan) -> Vec<Diagnostic> {
    let (summaries, messages): (Vec<_>, Vec<_>) =
        read(log).into_iter().partition(|message| is_summary(message.text));
    let only_summaries = !messages.iter().any(|message| message.severity == Severity::Error);
    let failures = summaries
        .into_iter()
        .filter(|summary| only_summaries && summary.severity == Severity::Error);
    let mut seen = BTreeSet::new();
    let found =
        messages.into_iter().chain(failures).map(|message| in_authors_words(&message, plan));
    capped(found.filter(|diagnostic| seen.insert(diagnostic.to_string())).collect())
}

/// As many as are kept, in their order; warnings make way for errors.
fn capped(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    let errors = found.iter().filter(|diagnostic| is_error(diagnostic)).count();
    let mut warnings_left = MAX_DIAGNOSTICS.saturating_sub(errors);
    found.retain(|diagnostic| {
        let is_kept = is_error(diagnostic) || warnings_left > 0;
        warnings_left -= usize::from(is_kept && !is_error(diagnostic));
        is_kept
    });
    found.truncate(MAX_DIAGNOSTICS);
    found
}

fn read(log: &str) -> Vec<Message<'_>> {
    let mut messages: Vec<Message<'_>> = Vec::new();
    for line in log.lines() {
        if let Some((severity, text)) = heading(line) {
            messages.push(Message {
                severity,
                text,
                place: None,
                label: None,
                found_type: None,
                details: Vec::new(),
            });
        } else if let Some(message) = messages.last_mut() {
            message.place = message.place.or_else(|| place(line));
            message.label = message.label.or_else(|| label(line));
            message.found_type = message.found_type.or_else(|| found_type(line));
            if message.place.is_none() && message.details.len() < MAX_DETAILS {
                message.details.extend(Some(line.trim()).filter(|line| !line.is_empty()));
            }
        }
    }
    messages
}

/// `error[E0308]: mismatched types`, `warning: unused variable`.
fn heading(line: &str) -> Option<(Severity, &str)> {
    let (word, text) = line.split_once(": ")?;
    let severity = match word.split('[').next()? {
        "error" => Severity::Error,
        "warning" => Severity::Warning,
        _ => return None,
    };
    let has_code = word.contains('[');
    (!has_code || word.ends_with(']')).then_some((severity, text))
}

/// `  --> handler.rs:3:9`; cargo says where a manifest is from where it runs, rustc from the crate's root.
fn place(line: &str) -> Option<(&str, u32, u32)> {
    let path = line.trim_start().strip_prefix("--> ")?;
    let mut parts = path.rsplitn(3, ':');
    let column = parts.next()?.trim_end().parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let file = parts.next()?;
    let of_manifest = file.strip_prefix("source/").filter(|file| file.ends_with("Cargo.toml"));
    let file = file.strip_prefix("/work/source/").or(of_manifest).unwrap_or(file);
    Some((file, line, column))
}

/// What is written behind the carets: ``  |  ^^^ expected `u8`, found `&str` ``
fn label(line: &str) -> Option<&str> {
    let (_, drawing) = line.split_once('|')?;
    let drawing = drawing.trim_start_matches([' ', '|', '-']);
    let label = drawing.strip_prefix('^')?.trim_start_matches('^').trim();
    (!label.is_empty()).then_some(label)
}

fn found_type(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("found fn item `")?;
    // Behind the type stands the path of the function.
    rest.split_once('`')?.0.rsplit_once(' ').map(|(found, _)| found)
}

fn is_summary(text: &str) -> bool {
    text.starts_with("could not compile ")
        || text.starts_with("aborting due to ")
        || text.starts_with("build failed, waiting")
        || (text.starts_with('`') && text.contains(" generated ") && text.contains(" warning"))
}

/// Messages about generated code say what the author can do about them.
fn in_authors_words(message: &Message<'_>, plan: &BuildPlan) -> Diagnostic {
    let is_generated = message.place.is_some_and(|(file, ..)| file.ends_with(MAIN_FILE));
    if is_generated {
        return about_handler(message, plan.handler.as_ref());
    }
    if let Some(diagnostic) = about_manifest(message) {
        return diagnostic;
    }
    let text = match message.label {
        Some(label) if !message.text.contains(label) => format!("{}: {label}", message.text),
        _ => message.text.to_owned(),
    };
    let text = match message.place {
        Some(_) => text,
        None => [&[text.as_str()], message.details.as_slice()].concat().join("\n"),
    };
    let diagnostic = Diagnostic { severity: message.severity, ..Diagnostic::error(text) };
    match message.place {
        Some((file, line, column)) => diagnostic.at(file, line, column),
        None => diagnostic,
    }
}

/// Cargo shows no line for what it understands and does not like.
fn about_manifest(message: &Message<'_>) -> Option<Diagnostic> {
    let mut details = message.details.iter();
    let path =
        details.find_map(|line| line.strip_prefix("failed to parse manifest at `/work/source/"))?;
    let reasons: Vec<_> = details.copied().filter(|line| *line != "Caused by:").collect();
    let path = path.trim_end_matches('`');
    (!reasons.is_empty()).then(|| Diagnostic::error(reasons.join("\n")).at(path, 1, 1))
}

/// It may be one that the author has from elsewhere, and then its place is not known.
fn about_handler(message: &Message<'_>, handler: Option<&(String, Function)>) -> Diagnostic {
    let text = if handler.is_none() && message.text.starts_with("cannot find") {
        format!("no handler found: write {SIGNATURE}, or {OWN_MAIN}")
    } else if message.text.contains("is private") {
        "handler is private: put `pub` before it".to_owned()
    } else if let Some(found) = message.found_type {
        format!("handler is {found}, but must be {SIGNATURE}")
    } else {
        format!("handler cannot be called: {}; it must be {SIGNATURE}", message.text)
    };
    match handler {
        Some((file, function)) => Diagnostic::error(text).at(file, function.line, function.column),
        None => Diagnostic::error(text),
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::{SourceBundle, SourceLimits};

    use super::*;
    use crate::Fetches;

    fn parsed(source: &str, log: &str) -> Vec<String> {
        let files = [("handler.rs".to_owned(), source.as_bytes().to_vec())];
        let limits = SourceLimits { files: 1, total_bytes: 999 };
        let source = SourceBundle::from_files(files, limits).unwrap();
        let plan = crate::toolchain::rust::plan(&source, "rustc", Fetches::default()).unwrap();
        parse(log, &plan).iter().map(ToString::to_string).collect()
    }

    const HANDLER: &str = "\npub fn handler(i: u8) -> u8 { i }";

    #[test]
    fn messages_point_into_the_authors_file() {
        let log = "   Compiling function v0.0.0 (/work/source)
warning: unused variable: `i`
 --> handler.rs:3:16
  |
3 | pub fn handler(i: u8) -> Result<u8, String> { Ok(1) }
  |                ^ help: if this is intentional, prefix it with an underscore: `_i`

error[E0308]: mismatched types
 --> /work/source/src/inner.rs:2:59
  |
2 | let x: u8 = \"a\";
  |        --   ^^^ expected `u8`, found `&str`
  |        |
  |        expected due to this

error: environment variable `DATABASE_URL` not defined at compile time
 --> handler.rs:2:17
  |
2 | const E: &str = env!(\"DATABASE_URL\");
  |                 ^^^^^^^^^^^^^^^^^^^^

warning: `function` (lib) generated 1 warning
error: could not compile `function` (lib) due to 2 previous errors; 1 warning emitted
";
        let expected = [
            "handler.rs:3:16: warning: unused variable: `i`: help: if this is intentional, prefix it with an underscore: `_i`",
            "src/inner.rs:2:59: error: mismatched types: expected `u8`, found `&str`",
            "handler.rs:2:17: error: environment variable `DATABASE_URL` not defined at compile time",
        ];
        assert_eq!(parsed(HANDLER, log), expected);
    }

    #[test]
    fn a_lone_summary_is_kept() {
        let log = "error: could not compile `function` (lib)\n\nCaused by:\n  process didn't exit";
        let expected = "error: could not compile `function` (lib)\nCaused by:\nprocess didn't exit";
        assert_eq!(parsed(HANDLER, log), [expected]);
    }

    #[test]
    fn a_missing_or_private_handler_is_explained() {
        let missing = "error[E0425]: cannot find value `handler` in crate `function`\n  --> apprun_main.rs:28:21\n";
        assert!(parsed("", missing)[0].starts_with("error: no handler found: write pub fn"));
        let private = "error[E0603]: function `handler` is private\n  --> apprun_main.rs:28:21\n";
        let expected = "handler.rs:2:8: error: handler is private: put `pub` before it";
        assert_eq!(parsed(HANDLER, private), [expected]);
    }

    #[test]
    fn a_wrong_signature_is_shown_at_the_handler() {
        let log = "error[E0308]: mismatched types\n  --> apprun_main.rs:28:11\n   |\n\
                   28 |     serve(function::handler)\n   |           ^^^^^ expected fn pointer\n   |\n\
                   \x20  = note: expected fn pointer `fn(_) -> Result<_, _>`\n\
                   \x20                found fn item `fn(u8) -> u8 {handler}`\n";
        let expected = "handler.rs:2:8: error: handler is fn(u8) -> u8, but must be pub fn handler";
        assert!(parsed(HANDLER, log)[0].starts_with(expected), "{:?}", parsed(HANDLER, log));
        let bound = "error[E0277]: the trait bound `A: Serialize` is not satisfied\n --> apprun_main.rs:2:1";
        let found = parsed(HANDLER, bound);
        assert!(found[0].contains("`A: Serialize` is not satisfied; it must be pub fn"));
    }

    #[test]
    fn a_wrong_signature_from_elsewhere_is_not_a_missing_handler() {
        let log = "error[E0308]: mismatched types\n  --> apprun_main.rs:4:25\n   |\n\
                   \x20  = note: expected fn pointer `fn(_) -> Result<_, _>`\n\
                   \x20                found fn item `fn(u8) -> u8 {price::handler}`\n";
        let expected = "error: handler is fn(u8) -> u8, but must be pub fn handler";
        assert!(parsed("", log)[0].starts_with(expected), "{:?}", parsed("", log));
    }

    #[test]
    fn no_number_of_warnings_hides_an_error() {
        let warnings: String =
            (0..60).map(|n| format!("warning: w{n}\n --> handler.rs:{n}:1\n\n")).collect();
        let found = parsed(HANDLER, &(warnings + "error: the reason\n --> handler.rs:70:1\n"));
        assert_eq!(found.len(), MAX_DIAGNOSTICS);
        assert_eq!(found.last().unwrap(), "handler.rs:70:1: error: the reason");
    }

    #[test]
    fn a_broken_manifest_is_the_authors_file() {
        let log = "error: missing field\n --> source/Cargo.toml:2:1\n  |\n";
        assert_eq!(parsed(HANDLER, log), ["Cargo.toml:2:1: error: missing field"]);
        let log = "error: failed to load manifest for dependency `shop`\n\nCaused by:\n  \
                   failed to parse manifest at `/work/source/Cargo.toml`\n\nCaused by:\n  no version\n";
        assert_eq!(parsed(HANDLER, log), ["Cargo.toml:1:1: error: no version"]);
        let module = "error: oops\n --> source/price.rs:2:1\n  |\n";
        assert_eq!(parsed(HANDLER, module), ["source/price.rs:2:1: error: oops"]);
    }

    proptest::proptest! {
        #[test]
        fn no_log_makes_it_panic(log in "((error|warning|go|a\\.go|apprun_main\\.(go|rs)|[:\\-> |^\\n\\t\\[\\]0-9]|\u{e4}){1,3}){0,30}") {
            parsed(HANDLER, &log);
        }
    }
}
