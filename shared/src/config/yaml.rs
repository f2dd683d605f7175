//! `apprun.yaml` as a flat list: chapters joined with dots, each value with its line. The part of
//! YAML that a configuration needs: nested mappings of plain values; the rest is refused by name.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// One value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Dotted key.
    pub(super) key: String,
    /// As written, without quotes. An empty value is left out by the caller.
    pub(super) text: String,
    /// Counted from 1.
    pub(super) line: usize,
}

/// Reads a whole document. On failure: the line, counted from 1, and what is wrong there.
pub(super) fn parse(document: &str) -> Result<Vec<Entry>, (usize, String)> {
    let mut walk = Walk::default();
    for event in Parser::new_from_str(document) {
        let (event, span) =
            event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        let line = span.start.line();
        walk.step(event, line).map_err(|problem| (line, problem))?;
    }
    Ok(walk.entries)
}

/// Where the walk through the document stands.
#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    /// Keys of the mappings entered so far.
    chapters: Vec<String>,
    /// Mappings entered so far; the outermost has no key.
    depth: usize,
    /// The key whose value comes next.
    pending_key: Option<String>,
    documents: usize,
}

impl Walk {
    fn step(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) => self.start_document(),
            Event::MappingStart(..) => {
                self.depth += 1;
                self.chapters.extend(self.pending_key.take());
                Ok(())
            }
            Event::MappingEnd => {
                self.depth -= 1;
                self.chapters.pop();
                Ok(())
            }
            Event::Scalar(text, style, ..) => self.scalar(&text, style, line),
            Event::SequenceStart(..) => Err("a list is not expected here".to_owned()),
            Event::Alias(_) => Err("aliases are not supported".to_owned()),
            _ => Ok(()),
        }
    }

    fn start_document(&mut self) -> Result<(), String> {
        self.documents += 1;
        if self.documents > 1 {
            return Err("a second document is not expected".to_owned());
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize) -> Result<(), String> {
        let is_null = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null");
        match self.pending_key.take() {
            Some(_) if is_null => Ok(()),
            Some(key) => self.add(key, text, line),
            None if self.depth == 0 && is_null => Ok(()),
            None if self.depth == 0 => Err("a key with a value is expected".to_owned()),
            None => {
                self.pending_key = Some(text.to_owned());
                Ok(())
            }
        }
    }

    fn add(&mut self, key: String, text: &str, line: usize) -> Result<(), String> {
        let key = self.chapters.iter().cloned().chain([key]).collect::<Vec<_>>().join(".");
        if let Some(earlier) = self.entries.iter().find(|entry| entry.key == key) {
            return Err(format!("{key} was already set in line {}", earlier.line));
        }
        self.entries.push(Entry { key, text: text.to_owned(), line });
        Ok(())
    }
}
