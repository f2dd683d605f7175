//! The two outputs: data on standard output, everything said to a person on standard error.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use crate::{failure::Failure, plain::plain};

/// Prints data, one line or document at a time.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(shown(text, stdout.is_terminal()).as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()?;
    Ok(())
}

/// Says something to the person at the keyboard. Nobody there is no failure.
pub(crate) fn say(text: impl Display) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{}", shown(&text.to_string(), stderr.is_terminal()));
}

/// Much of what is printed was written by functions.
fn shown(text: &str, on_terminal: bool) -> Cow<'_, str> {
    if on_terminal { plain(text).into() } else { text.into() }
}

/// Suggests the command that usually comes next.
pub(crate) fn next(command: impl Display) {
    say(format_args!("next: {command}"));
}

/// Rows in columns of equal width. The head goes to standard error, so that `wc -l` counts rows.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    say(line(&head.map(str::to_owned), &widths));
    let lines: Vec<_> = rows.iter().map(|row| line(row, &widths)).collect();
    if lines.is_empty() { Ok(()) } else { data(&lines.join("\n")) }
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// Names and values, one to a line.
pub(crate) fn facts(facts: &[(&str, String)]) -> Result<(), Failure> {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = facts.iter().map(|(name, value)| format!("{name:<width$}  {value}"));
    data(&lines.collect::<Vec<_>>().join("\n"))
}

/// Says how to see the rows behind a page, if there are any.
pub(crate) fn more(next_cursor: Option<&str>) {
    if let Some(cursor) = next_cursor {
        say(format_args!("more: --cursor {cursor}"));
    }
}

/// One line on a terminal that is written over while something lasts; without a terminal, nothing.
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    /// `quiet` for callers that want no line at all.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { is_shown: !quiet && io::stderr().is_terminal() }
    }

    pub(crate) fn show(&self, text: impl Display) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[2K{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}

#[cfg(test)]
mod tests {
    use super::{line, shown};

    #[test]
    fn files_get_what_a_terminal_does_not() {
        assert_eq!(shown("\u{1b}[31mred", true), "red");
        assert_eq!(shown("\u{1b}[31mred", false), "\u{1b}[31mred");
    }

    #[test]
    fn cells_are_padded_and_the_last_leaves_nothing_behind() {
        let cells = ["a".to_owned(), "b".to_owned()];
        assert_eq!(line(&cells, &[3, 9]), "a    b");
    }
}
