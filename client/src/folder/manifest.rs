//! `function.yaml`: what a function is called and how it is run. Keys and their kinds are checked here,
//! with line and nearest name; what a value may be is the server's to say.

use std::{fs, io, path::Path};

use serde_json::{Map, Number, Value};

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
    /// A number that may have a fraction.
    Fraction,
    /// A list of texts.
    Texts,
    /// Texts by names that the author chooses.
    Variables,
    /// Keys of its own.
    Section(Keys),
}

type Keys = &'static [(&'static str, Kind)];

/// Every key, in the words of the API; `files` stays here, and `secrets` are names alone.
const KEYS: Keys = &[
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("runtime", Kind::Text),
    ("trigger", Kind::Text),
    ("events", Kind::Texts),
    ("timeout", Kind::Number),
    ("memory", Kind::Number),
    ("network", Kind::Text),
    ("max_concurrency", Kind::Number),
    ("retry", Kind::Section(RETRY)),
    ("env", Kind::Variables),
    (SECRETS, Kind::Texts),
    (FILES, Kind::Texts),
];
const RETRY: Keys = &[
    ("max_retries", Kind::Number),
    ("initial_delay", Kind::Fraction),
    ("max_delay", Kind::Fraction),
    ("backoff_factor", Kind::Fraction),
];
const FILES: &str = "files";
const SECRETS: &str = "secrets";

/// A manifest whose keys are known and of the right kind.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    /// The fields that go to the server, name and runtime among them.
    pub(crate) fields: Map<String, Value>,
    /// Names of secrets; their values never stand in a file.
    pub(crate) secrets: Vec<String>,
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
        let mut fields = section(&yaml::parse(document)?, KEYS)?;
        let mut names = |key| serde_json::from_value(fields.remove(key)?).ok();
        let (files, secrets) = (names(FILES), names(SECRETS).unwrap_or_default());
        let text = |key: &str| {
            let found = fields.get(key).and_then(Value::as_str);
            found.map(str::to_owned).ok_or_else(|| (1, format!("{key} is missing")))
        };
        text("runtime")?;
        Ok(Self { name: text("name")?, fields, secrets, files })
    }
}

/// Keys and values of one mapping; a key without a value counts as left out.
fn section(entries: &[(String, Node)], keys: Keys) -> Result<Map<String, Value>, yaml::Problem> {
    let mut fields = Map::new();
    for (key, node) in entries {
        let Some((_, kind)) = keys.iter().find(|(known, _)| known == key) else {
            return Err((node.line, unknown(key, keys)));
        };
        if node.value != Yaml::Null {
            fields.insert(key.clone(), json(key, *kind, node)?);
        }
    }
    Ok(fields)
}

fn unknown(key: &str, keys: Keys) -> String {
    let known = keys.iter().map(|(known, _)| *known);
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
        (Kind::Fraction, Yaml::Text { text, is_quoted: false }) => {
            match text.parse().ok().and_then(Number::from_f64) {
                Some(number) => Ok(number.into()),
                None => wrong("a number"),
            }
        }
        (Kind::Fraction, _) => wrong("a number"),
        (Kind::Texts, Yaml::List(items)) => {
            items.iter().map(|item| json(key, Kind::Text, item)).collect()
        }
        (Kind::Texts, _) => wrong("a list of texts"),
        (Kind::Variables, Yaml::Map(entries)) => {
            let variable =
                |(name, node): &(String, Node)| Ok((name.clone(), json(name, Kind::Text, node)?));
            entries.iter().map(variable).collect()
        }
        (Kind::Variables, _) => wrong("names with texts"),
        (Kind::Section(keys), Yaml::Map(entries)) => section(entries, keys).map(Value::from),
        (Kind::Section(_), _) => wrong("keys with values"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Manifest;

    #[test]
    fn fields_go_to_the_server_as_what_they_are() {
        let manifest = Manifest::parse(
            "name: 007\nruntime: go1.21\ntimeout: 5\nnetwork: egress\ndescription:\nfiles: [handler.go]\n",
        )
        .unwrap();
        assert_eq!(manifest.name, "007");
        assert_eq!(manifest.files, Some(vec!["handler.go".to_owned()]));
        let fields =
            json!({ "name": "007", "network": "egress", "runtime": "go1.21", "timeout": 5 });
        assert_eq!(serde_json::Value::Object(manifest.fields), fields);
    }

    #[test]
    fn every_setting_of_the_api_has_its_key() {
        let manifest = Manifest::parse(
            "name: a\nruntime: rust\ntrigger: event\nevents: [user.registered]\nmax_concurrency: 2\n\
             retry:\n  max_retries: 3\n  initial_delay: 0.5\n  max_delay: 9\nenv:\n  PORT: 80\n  EMPTY: \"\"\n\
             secrets: [SMTP_PASSWORD]\n",
        )
        .unwrap();
        assert_eq!(manifest.secrets, ["SMTP_PASSWORD"]);
        let fields = json!({
            "name": "a", "runtime": "rust", "trigger": "event", "events": ["user.registered"],
            "max_concurrency": 2, "env": { "PORT": "80", "EMPTY": "" },
            "retry": { "max_retries": 3, "initial_delay": 0.5, "max_delay": 9.0 },
        });
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
            ("name: a\nretry:\n  max_retrys: 1\n", 3, "did you mean max_retries?"),
            ("name: a\nretry:\n  max_delay: x\n", 3, "max_delay must be a number"),
            ("name: a\nretry: 3\n", 2, "retry must be keys with values"),
            ("name: a\nenv: [A]\n", 2, "env must be names with texts"),
            ("name: a\nenv:\n  A: [b]\n", 3, "A must be a text"),
            ("name: a\nsecrets:\n  A: hunter2\n", 3, "secrets must be a list of texts"),
            ("name: a\n", 1, "runtime is missing"),
            ("zzzzzzzzzzz: a\n", 1, "known are name, description"),
        ] {
            let (found, problem) = Manifest::parse(document).unwrap_err();
            assert_eq!((found, problem.contains(part)), (line, true), "{document:?}: {problem}");
        }
    }
}
