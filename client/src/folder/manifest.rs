//! `function.yaml`: what a function is called and how it is run. Keys and their kinds are checked here,
//! with line and nearest name; what a value may be is the server's to say.

use std::{fs, io, path::Path};

use serde_json::{Map, Value};

use super::yaml::{self, Node, Yaml};
use crate::{failure::Failure, resolve::nearest};

/// The manifest's name in a function's folder.
pub(crate) const MANIFEST: &str = "function.yaml";

/// What a key's value has to be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A whole number.
    Number,
    /// A list of texts.
    Texts,
}

/// Every key, in the words of the API; `files` alone stays here.
const KEYS: &[(&str, Kind)] = &[
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("runtime", Kind::Text),
    ("trigger", Kind::Text),
    ("timeout", Kind::Number),
    ("memory", Kind::Number),
    (FILES, Kind::Texts),
];
const FILES: &str = "files";

/// A manifest whose keys are known and of the right kind.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// The fields that go to the server, name and runtime among them.
    pub(crate) fields: Map<String, Value>,
    /// Files and folders to send; everything when left out.
    pub(super) files: Option<Vec<String>>,
}

impl Manifest {
    /// Reads the manifest of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(MANIFEST);
        let shown = path.display();
        let document = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::usage(format!(
                "there is no {shown}; 'apprun init {}' makes one",
                folder.display()
            )),
            _ => Failure::usage(format!("cannot read {shown}: {error}")),
        })?;
        Self::parse(&document)
            .map_err(|(line, problem)| Failure::usage(format!("{shown}:{line}: {problem}")))
    }

    fn parse(document: &str) -> Result<Self, yaml::Problem> {
        let mut fields = Map::new();
        for (key, node) in yaml::parse(document)? {
            let Some((_, kind)) = KEYS.iter().find(|(known, _)| *known == key) else {
                return Err((node.line, unknown(&key)));
            };
            if node.value != Yaml::Null {
                fields.insert(key.clone(), json(&key, *kind, &node)?);
            }
        }
        let files = fields.remove(FILES).and_then(|files| serde_json::from_value(files).ok());
        let text = |key: &str| {
            let found = fields.get(key).and_then(Value::as_str);
            found.map(str::to_owned).ok_or_else(|| (1, format!("{key} is missing")))
        };
        text("runtime")?;
        Ok(Self { name: text("name")?, fields, files })
    }
}

fn unknown(key: &str) -> String {
    let known = KEYS.iter().map(|(known, _)| *known);
    match nearest(key, known.clone()) {
        Some(name) => format!("unknown key {key}; did you mean {name}?"),
        None => format!("unknown key {key}; known are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

fn json(key: &str, kind: Kind, node: &Node) -> Result<Value, yaml::Problem> {
    let wrong = |expected: &str| Err((node.line, format!("{key} must be {expected}")));
    match (kind, &node.value) {
        (Kind::Text, Yaml::Text { text, .. }) => Ok(text.clone().into()),
        (Kind::Text, _) => wrong("a text"),
        (Kind::Number, Yaml::Text { text, is_quoted: false }) => match text.parse::<u32>() {
            Ok(number) => Ok(number.into()),
            Err(_) => wrong("a whole number"),
        },
        (Kind::Number, _) => wrong("a whole number"),
        (Kind::Texts, Yaml::List(items)) => {
            items.iter().map(|item| json(key, Kind::Text, item)).collect()
        }
        (Kind::Texts, _) => wrong("a list of texts"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Manifest;

    #[test]
    fn fields_go_to_the_server_as_what_they_are() {
        let manifest = Manifest::parse(
            "name: 007\nruntime: go1.21\ntimeout: 5\ndescription:\nfiles: [handler.go]\n",
        )
        .unwrap();
        assert_eq!(manifest.name, "007");
        assert_eq!(manifest.files, Some(vec!["handler.go".to_owned()]));
        let fields = json!({ "name": "007", "runtime": "go1.21", "timeout": 5 });
        assert_eq!(serde_json::Value::Object(manifest.fields), fields);
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (document, line, part) in [
            ("name: a\nruntine: rust\n", 2, "did you mean runtime?"),
            ("name: a\nruntime: rust\ntimeout: soon\n", 3, "timeout must be a whole number"),
            ("name: a\nruntime: rust\nmemory: \"64\"\n", 3, "memory must be a whole number"),
            ("name: a\nruntime: rust\nfiles: x\n", 3, "files must be a list of texts"),
            ("name: [a]\n", 1, "name must be a text"),
            ("name: a\n", 1, "runtime is missing"),
            ("zzzzzzzzzzz: a\n", 1, "known are name, description"),
        ] {
            let (found, problem) = Manifest::parse(document).unwrap_err();
            assert_eq!((found, problem.contains(part)), (line, true), "{document:?}: {problem}");
        }
    }
}
