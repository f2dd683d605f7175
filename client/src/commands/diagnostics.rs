//! What a compiler says about a source, with the line it is about and a mark under the place.

use crate::{folder::Source, views::Diagnostic};

/// One message as a few lines of text; the source is shown where the folder has it.
pub(super) fn render(diagnostic: &Diagnostic, source: &Source) -> String {
    let head = format!("{}: {}", diagnostic.severity, diagnostic.message.trim_end());
    let Some(file) = &diagnostic.file else { return head };
    let place = [Some(file.clone()), number(diagnostic.line), number(diagnostic.column)];
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(":");
    let shown = || {
        let line = diagnostic.line?;
        let text = source.text(file)?.lines().nth(line.checked_sub(1)?)?;
        Some(excerpt(file, line, text, diagnostic.column))
    };
    format!("{head}\n --> {place}\n{}", shown().unwrap_or_default())
}

fn number(number: Option<usize>) -> Option<String> {
    number.map(|number| number.to_string())
}

fn excerpt(file: &str, line: usize, text: &str, column: Option<usize>) -> String {
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let shown = printable(text);
    let mut lines = format!("{margin} |\n{number} | {shown}\n");
    if let Some(column) = column {
        lines.push_str(&format!("{margin} | {}^\n", indent(file, text, column)));
    }
    lines
}

/// As wide as what stands in front of a column: tabs stay tabs, so that both lines line up however
/// wide a terminal makes them. Go counts columns in bytes, Rust in characters.
fn indent(file: &str, text: &str, column: usize) -> String {
    let before = column.saturating_sub(1);
    let in_front = text.char_indices().enumerate().take_while(|(count, (at, _))| {
        if file.ends_with(".go") { *at < before } else { *count < before }
    });
    in_front.map(|(_, (_, letter))| if letter == '\t' { '\t' } else { ' ' }).collect()
}

/// Without the control characters that a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() && it != '\t' { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::{excerpt, indent};

    #[test]
    fn the_mark_stands_under_its_place() {
        let shown = excerpt("handler.go", 12, "\treturn missing", Some(9));
        assert_eq!(shown, "   |\n12 | \treturn missing\n   | \t       ^\n");
    }

    #[test]
    fn a_column_is_counted_as_its_language_counts() {
        assert_eq!(indent("a.go", "\"ä\" + x", 8), " ".repeat(6));
        assert_eq!(indent("a.rs", "\"ä\" + x", 7), " ".repeat(6));
        assert_eq!(indent("a.rs", "x", 99), " ", "no further than the line");
    }

    #[test]
    fn nothing_of_a_source_reaches_the_terminal_as_a_command() {
        assert!(!excerpt("a.go", 1, "x \u{1b}[2J", None).contains('\u{1b}'));
    }
}
