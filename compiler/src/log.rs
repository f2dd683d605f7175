//! Makes a compiler's output fit for people and for text columns: no terminal codes, no control
//! characters, no broken UTF-8.

/// What a build printed, ready to be stored and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildLog {
    /// Lines end in `\n`; the beginning of the output when it was too long.
    pub text: String,
    /// True when more was printed than is kept.
    pub truncated: bool,
}

impl BuildLog {
    /// The output of a run, cleaned; `truncated` as the sandbox reported it.
    pub(crate) fn from_output(output: &[u8], truncated: bool) -> Self {
        let mut text = clean(&String::from_utf8_lossy(output));
        if truncated {
            text.push_str("\n… the log is cut here: the build printed more than is kept\n");
        }
        Self { text, truncated }
    }
}

/// Removes terminal escape sequences and every control character but newline and tab.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\u{1b}' => skip_escape(&mut rest),
            '\n' | '\t' => cleaned.push(next),
            control if control.is_control() => {}
            plain => cleaned.push(plain),
        }
    }
    cleaned
}

/// Skips what follows ESC: `[ … letter` (colours, cursor), `] … BEL or ESC \` (titles, links), or
/// one character.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next() {
        Some('[') => {
            while rest.next_if(|next| matches!(next, '\u{20}'..='\u{3f}')).is_some() {}
            rest.next_if(|next| matches!(next, '\u{40}'..='\u{7e}'));
        }
        Some(']') => {
            while let Some(next) = rest.next_if(|next| *next != '\n') {
                if next == '\u{7}' || (next == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_codes_and_control_characters_go_and_the_text_stays() {
        let cases = [
            ("plain\n\ttext ä", "plain\n\ttext ä"),
            ("\u{1b}[1;31merror\u{1b}[0m: x", "error: x"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\link", "alink"),
            ("\u{1b}]never ends\nnext", "\nnext"),
            ("a\r\nb\0c\u{8}d\u{9b}e", "a\nbcde"),
            ("end\u{1b}", "end"),
        ];
        for (raw, expected) in cases {
            assert_eq!(clean(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn broken_utf8_is_replaced_and_the_cut_is_told() {
        let log = BuildLog::from_output(b"a\xff", true);
        assert!(log.text.starts_with("a\u{fffd}\n…") && log.truncated);
    }

    proptest::proptest! {
        #[test]
        fn nothing_a_terminal_obeys_survives(raw in ".*") {
            proptest::prop_assert!(clean(&raw).chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
        }
    }
}
