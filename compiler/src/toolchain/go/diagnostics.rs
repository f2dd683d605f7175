//! Reads what `go build` prints into diagnostics that point into the author's files.

use shared::domain::{Diagnostic, Severity};

use crate::{plan::BuildPlan, toolchain::MAX_DIAGNOSTICS};

const SIGNATURES: &str =
    "func Handler(In) (Out, error) or func Handler(context.Context, In) (Out, error)";

const NOT_IN_BUILD: &str = "this file takes no part in the build: a build tag, its name, or \
                            import \"C\" (cgo is not available) excludes it";

/// `log` is clean text. Lines that are no message of the compiler are ignored.
pub(crate) fn parse(log: &str, plan: &BuildPlan) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    for line in log.lines().filter(|line| !is_noise(line)) {
        if line.starts_with('\t') {
            if let Some(last) = found.last_mut() {
                last.message.push('\n');
                last.message.push_str(line.trim_start());
            }
            continue;
        }
        if found.len() == MAX_DIAGNOSTICS {
            break;
        }
        found.push(read(line));
    }
    found.into_iter().map(|diagnostic| in_authors_words(diagnostic, plan)).collect()
}

/// Package headings, and the note that more errors follow.
fn is_noise(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with("# ") || line.ends_with(": too many errors")
}

/// `./handler.go:5:2: undefined: x`, `go.mod:3: unknown directive`, or a sentence without a place.
fn read(line: &str) -> Diagnostic {
    placed(line).unwrap_or_else(|| {
        let sentence = line.strip_prefix("go: ").unwrap_or(line);
        Diagnostic::error(sentence)
    })
}

fn placed(line: &str) -> Option<Diagnostic> {
    let (file, rest) = line.split_once(':')?;
    let looks_like_a_file = file.ends_with(".go") || file.ends_with(".s") || file == "go.mod";
    if !looks_like_a_file || file.contains(' ') {
        return None;
    }
    let (line_number, rest) = rest.split_once(':')?;
    let line_number = line_number.parse().ok()?;
    let column = rest.split_once(':').and_then(|(digits, rest)| Some((digits.parse().ok()?, rest)));
    let message = column.map_or(rest, |(_, rest)| rest).trim_start();
    Some(Diagnostic {
        file: Some(file.strip_prefix("./").unwrap_or(file).to_owned()),
        line: Some(line_number),
        column: column.map(|(column, _)| column),
        severity: Severity::Error,
        message: message.to_owned(),
    })
}

/// Messages about generated code say what the author can do about them.
fn in_authors_words(diagnostic: Diagnostic, plan: &BuildPlan) -> Diagnostic {
    let message = diagnostic.message.as_str();
    if message.contains("function main is undeclared in the main package") {
        return Diagnostic::error(no_handler());
    }
    if message.contains("build constraints exclude all Go files") {
        return excluded(diagnostic, plan);
    }
    let is_generated = diagnostic.file.as_ref().is_some_and(|file| file.starts_with("apprun_"));
    if !is_generated {
        return diagnostic;
    }
    let is_missing =
        message.ends_with("undefined: Handler") || message.ends_with("undefined: function.Handler");
    match &plan.handler {
        None if is_missing => Diagnostic::error(no_handler()),
        None => Diagnostic::error(message),
        Some((file, function)) => {
            let text = if is_missing { NOT_IN_BUILD.to_owned() } else { about_handler(message) };
            Diagnostic::error(text).at(file, function.line, function.column)
        }
    }
}

/// With a place it is an import of another package; without, it is the package at the root.
fn excluded(diagnostic: Diagnostic, plan: &BuildPlan) -> Diagnostic {
    match (&diagnostic.file, &plan.handler) {
        (Some(_), _) => diagnostic,
        (None, Some((file, function))) => {
            Diagnostic::error(NOT_IN_BUILD).at(file, function.line, function.column)
        }
        (None, None) => Diagnostic::error(NOT_IN_BUILD),
    }
}

fn about_handler(message: &str) -> String {
    let signature = message
        .split_once("type ")
        .and_then(|(_, rest)| rest.split_once(" of "))
        .map(|(signature, _)| signature)
        .filter(|signature| signature.starts_with("func("));
    match signature {
        Some(signature) => format!("Handler is {signature}, but must be {SIGNATURES}"),
        None => format!("Handler cannot be called: {message}; it must be {SIGNATURES}"),
    }
}

fn no_handler() -> String {
    format!("no handler found: write {SIGNATURES}, with a capital H, or your own func main")
}

#[cfg(test)]
mod tests {
    use shared::domain::{SourceBundle, SourceLimits};

    use super::*;
    use crate::{Fetches, toolchain::go::discover::GoVersion};

    fn parsed(log: &str) -> Vec<String> {
        parsed_for("package main\nfunc Handler(a int) {}", log)
    }

    fn parsed_for(code: &str, log: &str) -> Vec<String> {
        let files = [("handler.go".to_owned(), code.as_bytes().to_vec())];
        let limits = SourceLimits { files: 1, total_bytes: 999 };
        let source = SourceBundle::from_files(files, limits).unwrap();
        let version = GoVersion { minor: 27, patch: 3 };
        let plan = crate::toolchain::go::plan(&source, 21, version, Fetches::default()).unwrap();
        parse(log, &plan).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn messages_point_into_the_authors_file() {
        let log = "# function\n./handler.go:3:36: declared and not used: x\n\
                   handler.go:2:8: no required module provides package github.com/google/uuid; to add it:\n\
                   \tgo get github.com/google/uuid\n\
                   ./handler.go:7:46: too many arguments in call to f\n\thave (number)\n\twant ()\n\
                   ./handler.go:8:1: too many errors\n";
        let expected = [
            "handler.go:3:36: error: declared and not used: x",
            "handler.go:2:8: error: no required module provides package github.com/google/uuid; to add it:\ngo get github.com/google/uuid",
            "handler.go:7:46: error: too many arguments in call to f\nhave (number)\nwant ()",
        ];
        assert_eq!(parsed(log), expected);
    }

    #[test]
    fn messages_without_a_place_are_kept() {
        let log = "go: errors parsing go.mod:\ngo.mod:2: unknown directive: broken\n\
                   found packages main (a.go) and other (b.go) in /work/source\n";
        let expected = [
            "error: errors parsing go.mod:",
            "go.mod:2: error: unknown directive: broken",
            "error: found packages main (a.go) and other (b.go) in /work/source",
        ];
        assert_eq!(parsed(log), expected);
    }

    #[test]
    fn a_missing_handler_is_explained() {
        for log in [
            "# function\n./apprun_main.go:9:36: undefined: Handler\n",
            "# function/apprun_main\napprun_main/main.go:10:36: undefined: function.Handler\n",
            "# function\nruntime.main_main·f: function main is undeclared in the main package\n",
        ] {
            let found = parsed_for("package main", log);
            assert!(found.len() == 1 && found[0].contains("no handler found: write func Handler"));
        }
    }

    #[test]
    fn a_handler_in_an_excluded_file_is_explained() {
        let found = parsed("./apprun_main.go:9:36: undefined: Handler\n");
        assert!(
            found[0].starts_with("handler.go:2:6: error: this file takes no part"),
            "{found:?}"
        );
    }

    #[test]
    fn an_excluded_package_is_told_where_it_is_imported_or_where_the_handler_is() {
        let imported = "handler.go:1:8: build constraints exclude all Go files in /work/source/x\n";
        let expected =
            "handler.go:1:8: error: build constraints exclude all Go files in /work/source/x";
        assert_eq!(parsed(imported), [expected]);
        let root = "package function: build constraints exclude all Go files in /work/source\n";
        assert!(parsed(root)[0].starts_with("handler.go:2:6: error: this file takes no part"));
    }

    #[test]
    fn a_wrong_signature_is_shown_at_the_handler() {
        for end in ["func(In) (Out, error) (cannot infer In and Out)", "inferred type func(int)"] {
            let log = format!(
                "./apprun_main.go:9:36: in call to apprun.Serve, type func(a int) string of Handler does not match {end}"
            );
            let expected = "handler.go:2:6: error: Handler is func(a int) string, but must be func Handler(In)";
            let found = parsed(&log);
            assert!(found[0].starts_with(expected), "{found:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_log_makes_it_panic(log in "((error|warning|go|a\\.go|apprun_main\\.(go|rs)|[:\\-> |^\\n\\t\\[\\]0-9]|\u{e4}){1,3}){0,30}") {
            parsed(&log);
        }
    }
}
