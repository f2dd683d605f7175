//! Finds the top-level functions of a Go or Rust file without parsing it: enough to know whether the
//! author wrote a handler or an own `main`. The compiler has the last word on everything else.

/// A top-level function as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Where its name stands, both counted from 1, the column in bytes.
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Its parameters as they are written, without comments.
    pub(crate) parameters: Vec<String>,
}

/// Which rules for comments and literals apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Go,
    Rust,
}

impl Syntax {
    fn keyword(self) -> &'static [u8] {
        match self {
            Self::Go => b"func",
            Self::Rust => b"fn",
        }
    }
}

/// Editors on Windows put it before a text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// All functions outside of any bracket, in their order. Linear in the source, whatever is in it: it
/// is a stranger's.
pub(crate) fn functions(source: &[u8], syntax: Syntax) -> Vec<Function> {
    let code = without_comments_and_literals(source, syntax);
    let mut found = Vec::new();
    let mut places = Places { code: &code, at: 0, line: 1, line_start: 0 };
    at_top_level(&code, |word, next| {
        let is_function = word == syntax.keyword();
        let is_variable = syntax == Syntax::Go && word == b"var";
        (is_function || is_variable).then(|| {
            let (function, end) = function_after(&code, next, is_variable, &mut places);
            found.extend(function);
            end
        })
    });
    found
}

/// Whether a Rust file offers a name that it has from elsewhere: `pub use price::{self, handler};`.
pub(crate) fn re_exports(source: &[u8], name: &str) -> bool {
    let code = without_comments_and_literals(source, Syntax::Rust);
    let mut found = false;
    at_top_level(&code, |word, next| {
        if word != b"pub" {
            return None;
        }
        let start = skip_blanks(&code, next);
        if word_at(&code, start) != b"use" {
            return None;
        }
        let length = code[start..].iter().position(|byte| *byte == b';');
        let end = length.map_or(code.len(), |length| start + length);
        let mut words = code[start..end].split(|byte| !is_word(*byte));
        found |= words.any(|word| word == name.as_bytes());
        Some(end)
    });
    found
}

/// Calls `read` with each word outside of any bracket and the place behind it; the answer is where to
/// go on, if not there.
fn at_top_level(code: &[u8], mut read: impl FnMut(&[u8], usize) -> Option<usize>) {
    let (mut depth, mut at) = (0usize, 0);
    while at < code.len() {
        let word = word_at(code, at);
        let next = at + word.len().max(1);
        let mut go_on = None;
        match code[at] {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ if depth == 0 && !word.is_empty() => go_on = read(word, next),
            _ => {}
        }
        at = go_on.unwrap_or(next);
    }
}

/// The name in Go's package clause, which is the first thing in a file.
pub(crate) fn go_package(source: &[u8]) -> Option<String> {
    let code = without_comments_and_literals(source, Syntax::Go);
    let clause = skip_blanks(&code, 0);
    if word_at(&code, clause) != b"package" {
        return None;
    }
    let name = word_at(&code, skip_blanks(&code, clause + b"package".len()));
    if name.is_empty() { None } else { Some(String::from_utf8_lossy(name).into_owned()) }
}

/// A function and where its parameters end; none for methods, `fn` types, other variables and
/// everything else without a name.
fn function_after(
    code: &[u8],
    after_keyword: usize,
    is_variable: bool,
    places: &mut Places<'_>,
) -> (Option<Function>, usize) {
    let start = skip_blanks(code, after_keyword);
    let name = word_at(code, start);
    let after_name = start + name.len();
    let from = if is_variable { after_func(code, after_name) } else { Some(after_name) };
    let Some(from) = from.filter(|_| !name.is_empty()) else { return (None, after_name) };
    let (line, column) = places.of(start);
    let (parameters, end) = parameters(code, from);
    let name = String::from_utf8_lossy(name).into_owned();
    (Some(Function { name, line, column, parameters }), end)
}

/// The place behind `func` in Go's `var Handler = func(…)` or `var Handler func(…)`.
fn after_func(code: &[u8], after_name: usize) -> Option<usize> {
    let mut at = skip_blanks(code, after_name);
    if code.get(at) == Some(&b'=') {
        at = skip_blanks(code, at + 1);
    }
    let func = Syntax::Go.keyword();
    (word_at(code, at) == func).then_some(at + func.len())
}

/// Tells line and column of places that are asked for in their order: no byte is counted twice.
struct Places<'a> {
    code: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
}

impl Places<'_> {
    fn of(&mut self, place: usize) -> (u32, u32) {
        for at in self.at..place {
            if self.code[at] == b'\n' {
                self.line += 1;
                self.line_start = at + 1;
            }
        }
        self.at = place;
        (self.line, (place - self.line_start + 1) as u32)
    }
}

/// What stands between the commas of the next parentheses, and where those end.
fn parameters(code: &[u8], from: usize) -> (Vec<String>, usize) {
    let open = code[from..].iter().position(|byte| *byte == b'(');
    let Some(open) = open.map(|open| from + open) else { return (Vec::new(), code.len()) };
    let (mut depth, mut found) = (0usize, vec![Vec::new()]);
    let mut at = open + 1;
    while let Some(byte) = code.get(at) {
        match byte {
            b')' | b'}' | b']' if depth == 0 => break,
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth -= 1,
            _ => {}
        }
        match (byte, found.last_mut()) {
            (b',', _) if depth == 0 => found.push(Vec::new()),
            (_, Some(parameter)) => parameter.push(*byte),
            _ => {}
        }
        at += 1;
    }
    let texts = found.iter().map(|text| String::from_utf8_lossy(text).trim().to_owned());
    // Behind the last comma there may be nothing.
    (texts.filter(|text| !text.is_empty()).collect(), (at + 1).min(code.len()))
}

fn word_at(code: &[u8], at: usize) -> &[u8] {
    let rest = &code[at.min(code.len())..];
    let end = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
    &rest[..end]
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn skip_blanks(code: &[u8], at: usize) -> usize {
    let rest = &code[at.min(code.len())..];
    at + rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len())
}

/// A copy of the same length in which comments and literals are blank and lines stay lines.
fn without_comments_and_literals(source: &[u8], syntax: Syntax) -> Vec<u8> {
    let mut code = source.to_vec();
    if code.starts_with(BYTE_ORDER_MARK) {
        code[..BYTE_ORDER_MARK.len()].fill(b' ');
    }
    let mut at = 0;
    while at < source.len() {
        let skipped = comment_length(&source[at..], syntax)
            .or_else(|| literal_length(source, at, syntax))
            .map(|length| length.min(source.len() - at));
        if let Some(length) = skipped {
            for byte in &mut code[at..at + length] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        at += skipped.unwrap_or(1).max(1);
    }
    code
}

fn comment_length(rest: &[u8], syntax: Syntax) -> Option<usize> {
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut depth, mut at) = (1, 2);
    while at < rest.len() && depth > 0 {
        let nested = syntax == Syntax::Rust && rest[at..].starts_with(b"/*");
        let closed = rest[at..].starts_with(b"*/");
        depth = if nested { depth + 1 } else { depth - usize::from(closed) };
        at += if nested || closed { 2 } else { 1 };
    }
    Some(at)
}

fn literal_length(source: &[u8], at: usize, syntax: Syntax) -> Option<usize> {
    let rest = &source[at..];
    match (rest[0], syntax) {
        (b'"', _) => Some(quoted_length(rest, b'"')),
        (b'\'', Syntax::Go) => Some(quoted_length(rest, b'\'')),
        (b'`', Syntax::Go) => Some(find(&rest[1..], b"`").map_or(rest.len(), |end| end + 2)),
        (b'\'', Syntax::Rust) => char_length(rest),
        (b'r', Syntax::Rust) if !is_inside_word(source, at) => raw_string_length(rest),
        _ => None,
    }
}

/// `r` opens a raw string also behind the prefixes `b` and `c`, but not at the end of a name.
fn is_inside_word(source: &[u8], at: usize) -> bool {
    match &source[..at] {
        [] | [b'b' | b'c'] => false,
        [.., before, b'b' | b'c'] | [.., before] => is_word(*before),
    }
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A character such as `'{'` or `'\n'`; None for a lifetime.
fn char_length(rest: &[u8]) -> Option<usize> {
    match rest.get(1)? {
        b'\\' => Some(quoted_length(rest, b'\'')),
        first => {
            let width = utf8_width(*first);
            (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
    }
}

fn utf8_width(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

fn raw_string_length(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let content = 2 + hashes;
    Some(find(&rest[content..], &end).map_or(rest.len(), |at| content + at + end.len()))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str, syntax: Syntax) -> Vec<(String, usize)> {
        let functions = functions(source.as_bytes(), syntax).into_iter();
        functions.map(|function| (function.name, function.parameters.len())).collect()
    }

    #[test]
    fn go_functions_are_found_among_decoys() {
        let source = r#"
            // func commented(a int) {}
            /* func also(a int) /* not nested in Go */
            package main
            var text = "func quoted(\" int)"; var raw = `func raw() {"`; var rune = '{'
            type T struct { f func(int) int }
            func (t T) Method(a int) {}
            func Handler(ctx context.Context, in map[string]func(a, b int),) (Out, error) {
                inner := func(x int) {}
            }
            func Generic[K comparable](k K) {}
            var Variable = func(a, b int) {}; var Typed func(int) = nil; var other = f(func(a int) {})
            func main() {}
        "#;
        let expected = [("Handler", 2), ("Generic", 1), ("Variable", 2), ("Typed", 1), ("main", 0)];
        assert_eq!(found(source, Syntax::Go), expected.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn rust_functions_are_found_among_decoys() {
        let source = r###"
            /* outer /* nested */ fn commented() {} */
            const A: &str = r#"fn raw() { " "#; const B: char = '{'; const C: &[u8] = br"fn x(";
            const D: char = '\''; const E: char = 'ä'; const F: &str = "fn q() {\"";
            struct S<'a>(&'a str);
            impl<'a> S<'a> { fn method(&self) {} }
            mod inner { pub fn hidden() {} }
            #[tokio::main]
            pub async fn handler<'a, T>(input: (u8, [u8; 2]), /* , */ t: T) -> R {}
            fn main() {}
        "###;
        let expected = [("handler", 2), ("main", 0)];
        assert_eq!(found(source, Syntax::Rust), expected.map(|(name, n)| (name.to_owned(), n)));
    }

    #[test]
    fn a_name_from_elsewhere_is_offered_by_a_public_use() {
        let offers = |source: &str| re_exports(source.as_bytes(), "handler");
        for source in ["pub use price::handler;", "mod a;\npub  use a::{self,\n handler };"] {
            assert!(offers(source), "{source}");
        }
        for source in [
            "use price::handler;",
            "pub(crate) use price::handler;",
            "pub use price::{handlers, a_handler};",
            "pub use price; // handler",
            "mod a { pub use price::handler; }",
            "pub use",
        ] {
            assert!(!offers(source), "{source}");
        }
    }

    #[test]
    fn a_function_knows_its_place() {
        let function = &functions(b"package x\n\n  func  Handler() {}", Syntax::Go)[0];
        assert_eq!((function.line, function.column), (3, 9));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_word() {
        assert_eq!(found("\u{feff}fn main() {}", Syntax::Rust), [("main".to_owned(), 0)]);
        assert_eq!(go_package("\u{feff}package greet".as_bytes()).as_deref(), Some("greet"));
    }

    #[test]
    fn the_package_clause_is_found_behind_comments() {
        let name = |source: &str| go_package(source.as_bytes());
        assert_eq!(name("// package a\n/* */ package  b; import \"c\"").as_deref(), Some("b"));
        assert_eq!(name("func main() {}"), None);
        assert_eq!(name("package"), None);
    }

    #[test]
    fn a_large_source_is_read_once_whatever_is_in_it() {
        const MIB: usize = 1 << 20;
        for part in ["r", "br", "r#", "fn a ", "fn a\n", "fn a(){}", "fn a<", "pub use ", "'", "/*"]
        {
            let source = part.repeat(MIB / part.len());
            re_exports(source.as_bytes(), "handler");
            functions(source.as_bytes(), Syntax::Rust);
            functions(source.replace("fn", "func").as_bytes(), Syntax::Go);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_source_makes_it_panic(source in "[a-z'\"`/*#{}()\\\\ \\n\u{e4}\u{1F600}r,]{0,60}") {
            functions(source.as_bytes(), Syntax::Go);
            functions(source.as_bytes(), Syntax::Rust);
            go_package(source.as_bytes());
            re_exports(source.as_bytes(), "handler");
        }
    }
}
