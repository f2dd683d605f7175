//! The part of YAML that a manifest needs, each value with its line: nested mappings, lists and plain
//! values. The rest is refused by name.

use std::iter::Peekable;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Mappings and lists inside one another.
const MAX_DEPTH: usize = 8;

/// One value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) value: Yaml,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    /// Nothing stands there.
    Null,
    /// As written, without quotes; whether it had any.
    Text {
        text: String,
        is_quoted: bool,
    },
    List(Vec<Node>),
    /// In the order in which it was written.
    Map(Vec<(String, Node)>),
}

/// What is wrong, and in which line, counted from 1.
pub(super) type Problem = (usize, String);

/// Reads a document whose outermost value is a mapping.
pub(super) fn parse(document: &str) -> Result<Vec<(String, Node)>, Problem> {
    let mut events = Vec::new();
    for event in Parser::new_from_str(document) {
        let (event, span) =
            event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        let is_frame = matches!(
            event,
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd
        );
        if !is_frame {
            events.push((event, span.start.line()));
        }
    }
    let mut events = events.into_iter().peekable();
    let root = node(&mut events, 0)?;
    if let Some((_, line)) = events.next() {
        return Err((line, "a second document is not expected".to_owned()));
    }
    match root.value {
        Yaml::Map(entries) => Ok(entries),
        _ => Err((root.line, "keys with values are expected".to_owned())),
    }
}

fn node<'a>(
    events: &mut Peekable<impl Iterator<Item = (Event<'a>, usize)>>,
    depth: usize,
) -> Result<Node, Problem> {
    let Some((event, line)) = events.next() else {
        return Ok(Node { line: 1, value: Yaml::Null });
    };
    if depth > MAX_DEPTH {
        return Err((line, format!("values are nested more than {MAX_DEPTH} deep")));
    }
    let value = match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => match text.as_ref() {
            "" | "~" | "null" => Yaml::Null,
            text => Yaml::Text { text: text.to_owned(), is_quoted: false },
        },
        Event::Scalar(text, ..) => Yaml::Text { text: text.into_owned(), is_quoted: true },
        Event::SequenceStart(..) => list(events, depth)?,
        Event::MappingStart(..) => map(events, depth)?,
        Event::Alias(_) => return Err((line, "aliases are not supported".to_owned())),
        _ => return Err((line, "a value is expected".to_owned())),
    };
    Ok(Node { line, value })
}

fn list<'a>(
    events: &mut Peekable<impl Iterator<Item = (Event<'a>, usize)>>,
    depth: usize,
) -> Result<Yaml, Problem> {
    let mut items = Vec::new();
    while events.next_if(|(event, _)| matches!(event, Event::SequenceEnd)).is_none() {
        items.push(node(events, depth + 1)?);
    }
    Ok(Yaml::List(items))
}

fn map<'a>(
    events: &mut Peekable<impl Iterator<Item = (Event<'a>, usize)>>,
    depth: usize,
) -> Result<Yaml, Problem> {
    let mut entries: Vec<(String, Node)> = Vec::new();
    while events.next_if(|(event, _)| matches!(event, Event::MappingEnd)).is_none() {
        let key = node(events, depth + 1)?;
        let Yaml::Text { text, .. } = key.value else {
            return Err((key.line, "a key is a plain text".to_owned()));
        };
        if let Some((_, earlier)) = entries.iter().find(|(known, _)| *known == text) {
            return Err((key.line, format!("{text} was already set in line {}", earlier.line)));
        }
        entries.push((text, node(events, depth + 1)?));
    }
    Ok(Yaml::Map(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_lines_and_their_quotes() {
        let entries =
            parse("# a\nname: x\nenv:\n  PORT: \"80\"\nfiles: [a, b]\nnothing:\n").unwrap();
        let text = |line, text: &str, is_quoted| Node {
            line,
            value: Yaml::Text { text: text.to_owned(), is_quoted },
        };
        assert_eq!(entries[0], ("name".to_owned(), text(2, "x", false)));
        assert_eq!(entries[1].1.value, Yaml::Map(vec![("PORT".to_owned(), text(4, "80", true))]));
        assert_eq!(entries[2].1.value, Yaml::List(vec![text(5, "a", false), text(5, "b", false)]));
        assert_eq!(entries[3].1.value, Yaml::Null);
    }

    #[test]
    fn what_no_manifest_needs_is_refused_with_its_line() {
        let deep = format!("a: {}{}", "[".repeat(20), "]".repeat(20));
        for (document, line, part) in [
            ("a: 1\na: 2\n", 2, "already set in line 1"),
            ("a: &x 1\nb: *x\n", 2, "aliases"),
            ("- a\n", 1, "keys with values"),
            ("", 1, "keys with values"),
            ("a: 1\n---\nb: 2\n", 3, "second document"),
            ("? [a]\n: b\n", 1, "a key is a plain text"),
            (deep.as_str(), 1, "nested"),
        ] {
            let (found, problem) = parse(document).unwrap_err();
            assert_eq!((found, problem.contains(part)), (line, true), "{document:?}: {problem}");
        }
    }
}
