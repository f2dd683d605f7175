//! Tells which files go leaves out of a build for linux/amd64 without cgo, by their names and their
//! `//go:build` lines (<https://pkg.go.dev/cmd/go#hdr-Build_constraints>). Whatever is unusual counts
//! as taking part: go has the last word.

/// Names of systems and processors that mean something at the end of a file's name.
const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "wasip1",
    "windows",
    "zos",
];
const PROCESSORS: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64",
    "ppc64le", "riscv64", "s390x", "sparc64", "wasm",
];
/// Tags that hold in every build of ours, beside `go1.N` up to the toolchain's own.
const TAGS: [&str; 5] = ["linux", "amd64", "amd64.v1", "unix", "gc"];
/// Go refuses longer expressions too; it also bounds how deep the reader goes.
const MAX_EXPRESSION_BYTES: usize = 1000;

/// `newest_minor` is the toolchain's, not the language's.
pub(super) fn takes_part(path: &str, source: &[u8], newest_minor: u16) -> bool {
    let header = String::from_utf8_lossy(source);
    let allows = |expression| holds(expression, newest_minor).unwrap_or(true);
    name_fits(path) && build_line(&header).is_none_or(allows)
}

/// `main_windows.go`, `fast_linux_arm64.go`; a name without `_` says nothing.
fn name_fits(path: &str) -> bool {
    let stem = path.split('.').next().unwrap_or_default();
    let parts: Vec<_> = stem.split('_').skip(1).collect();
    let (is_system, is_processor) =
        (|part: &str| SYSTEMS.contains(&part), |part: &str| PROCESSORS.contains(&part));
    match parts.as_slice() {
        [.., system, processor] if is_system(system) && is_processor(processor) => {
            (*system, *processor) == ("linux", "amd64")
        }
        [.., last] if is_system(last) => *last == "linux",
        [.., last] if is_processor(last) => *last == "amd64",
        _ => true,
    }
}

/// What stands behind `//go:build`, which may only have blank lines and comments before it.
fn build_line(source: &str) -> Option<&str> {
    let mut in_block = false;
    for line in source.trim_start_matches('\u{feff}').lines() {
        let mut rest = line.trim();
        loop {
            let block = if in_block { Some(rest) } else { rest.strip_prefix("/*") };
            let Some(block) = block else { break };
            let end = block.split_once("*/");
            in_block = end.is_none();
            rest = end.map_or("", |(_, behind)| behind.trim_start());
            if in_block {
                break;
            }
        }
        match rest.strip_prefix("//go:build") {
            Some(expression) if expression.starts_with([' ', '\t']) => return Some(expression),
            _ if rest.is_empty() || rest.starts_with("//") => {}
            _ => return None,
        }
    }
    None
}

/// None for what is no expression.
fn holds(expression: &str, newest_minor: u16) -> Option<bool> {
    if expression.len() > MAX_EXPRESSION_BYTES {
        return None;
    }
    let mut reader = Reader { rest: expression.trim(), newest_minor };
    reader.any().filter(|_| reader.rest.is_empty())
}

/// Reads an expression from its left, one level of binding a function.
struct Reader<'a> {
    rest: &'a str,
    newest_minor: u16,
}

impl Reader<'_> {
    fn any(&mut self) -> Option<bool> {
        let mut holds = self.all()?;
        while self.takes("||") {
            holds |= self.all()?;
        }
        Some(holds)
    }

    fn all(&mut self) -> Option<bool> {
        let mut holds = self.one()?;
        while self.takes("&&") {
            holds &= self.one()?;
        }
        Some(holds)
    }

    fn one(&mut self) -> Option<bool> {
        if self.takes("!") {
            return self.one().map(|holds| !holds);
        }
        if self.takes("(") {
            let holds = self.any()?;
            return self.takes(")").then_some(holds);
        }
        let is_end = |c: char| !c.is_alphanumeric() && c != '_' && c != '.';
        let (tag, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        (!tag.is_empty()).then(|| self.has(tag))
    }

    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn has(&self, tag: &str) -> bool {
        let release = tag.strip_prefix("go1.").and_then(|minor| minor.parse::<u16>().ok());
        TAGS.contains(&tag) || release.is_some_and(|minor| minor <= self.newest_minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_systems_and_processors_are_left_out() {
        for name in
            ["main.go", "windows.go", "a_linux.go", "a_linux_amd64.go", "a_amd64.go", "a_b.go"]
        {
            assert!(name_fits(name), "{name}");
        }
        for name in ["main_windows.go", "a_linux_arm64.go", "a_darwin_amd64.go", "a_b_arm64.go"] {
            assert!(!name_fits(name), "{name}");
        }
    }

    #[test]
    fn expressions_hold_as_go_says() {
        let cases = [
            ("ignore", Some(false)),
            ("linux && !cgo", Some(true)),
            ("!linux || (amd64 && unix)", Some(true)),
            ("!(linux&&amd64)", Some(false)),
            ("windows || darwin", Some(false)),
            ("go1.21", Some(true)),
            ("go1.28", Some(false)),
            ("!go1.28 && gc", Some(true)),
            ("a || b && linux", Some(false)),
            ("linux || b && a", Some(true)),
            ("linux &&", None),
            ("(linux", None),
            ("linux amd64", None),
            ("", None),
        ];
        for (expression, expected) in cases {
            assert_eq!(holds(expression, 27), expected, "{expression}");
        }
        assert_eq!(holds(&"(".repeat(1 << 20), 27), None);
        assert_eq!(holds(&"!".repeat(MAX_EXPRESSION_BYTES), 27), None);
    }

    #[test]
    fn the_build_line_stands_before_the_code() {
        let cases = [
            ("//go:build a\npackage x", Some(" a")),
            ("\u{feff}// text\n\n/* b\n c */ /* d */\n//go:build\ta", Some("\ta")),
            ("package x\n//go:build a", None),
            ("//go:builds a\npackage x", None),
            ("/*\n//go:build a\n*/ package x", None),
            ("", None),
        ];
        for (source, expected) in cases {
            assert_eq!(build_line(source), expected, "{source}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_source_makes_it_panic(source in "(//go:build |[a(!&|) \n*/\u{e4}]){0,20}") {
            takes_part("a.go", source.as_bytes(), 27);
        }
    }
}
