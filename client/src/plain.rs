//! Text that comes from somewhere else, on a terminal: nothing in it moves a cursor, renames a window
//! or answers in the reader's stead. Files and pipes get every byte.

/// Without control characters, and without the sequences that some of them begin. Lines and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    text.split_inclusive('\n').map(plain_line).collect()
}

/// A sequence that does not end ends with its line.
fn plain_line(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\u{1b}' => rest = behind_escape(rest),
            '\u{9b}' => rest = behind_control(rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => rest = behind_string(rest),
            '\n' | '\t' => plain.push(first),
            first if first.is_control() => {}
            first => plain.push(first),
        }
    }
    plain
}

/// ECMA-48: what an escape begins, by the character behind it.
fn behind_escape(rest: &str) -> &str {
    match rest.chars().next() {
        Some('[') => behind_control(&rest[1..]),
        Some('P' | 'X' | ']' | '^' | '_') => behind_string(&rest[1..]),
        // Two characters; some have others between them.
        _ => {
            let rest = rest.trim_start_matches(|it: char| (' '..='/').contains(&it));
            rest.strip_prefix(|it: char| (' '..='~').contains(&it)).unwrap_or(rest)
        }
    }
}

/// Colours, movements: numbers, and one character that says what they are.
fn behind_control(rest: &str) -> &str {
    let rest = rest.trim_start_matches(|it: char| (' '..='?').contains(&it));
    rest.strip_prefix(|it: char| ('@'..='~').contains(&it)).unwrap_or(rest)
}

/// Titles, links, the clipboard: any text up to its end.
fn behind_string(rest: &str) -> &str {
    let ends = |it: char| matches!(it, '\u{7}' | '\u{1b}' | '\u{9c}' | '\n');
    let Some(end) = rest.find(ends) else { return "" };
    let behind = &rest[end..];
    behind
        .strip_prefix("\u{1b}\\")
        .or_else(|| behind.strip_prefix(['\u{7}', '\u{9c}']))
        .unwrap_or(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing_but_text() {
        for (text, shown) in [
            ("plain ünïcode\n\tand tabs\n", "plain ünïcode\n\tand tabs\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]52;c;bm90IGVuZGVk\nnext", "\nnext"),
            ("\u{1b}Pq#0\u{1b}\\x", "x"),
            ("\u{1b}c\u{1b}(Bx", "x"),
            ("\u{9b}2Jx\u{9d}0;t\u{9c}y", "xy"),
            ("over\rwrite\u{8}\u{7f}\u{0}", "overwrite"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}[31", ""),
            ("\u{1b}ü", "ü"),
        ] {
            assert_eq!(plain(text), shown, "{text:?}");
        }
    }
}
