//! File, environment and flags, merged: for each key the text with the most weight and its origin.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    ConfigError, SETTINGS,
    nearest::suggestion,
    values::{Given, Values},
    yaml,
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "apprun.yaml";
/// Names the file; the only variable that is not a setting.
const FILE_VARIABLE: &str = "APPRUN_CONFIG";
/// Variables with this prefix are ours, so an unknown one is a mistake.
const PREFIX: &str = "APPRUN_";
/// Those that the commands of people read; a server beside them has nothing to do with them.
const OF_CLIENTS: &[&str] = &["APPRUN_SERVER", "APPRUN_TOKEN", "APPRUN_PASSWORD"];

/// What a process was given. Nothing is read from the process itself, so that a test can say it.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config`; it must exist.
    pub file: Option<PathBuf>,
    /// The environment; variables that are not ours are skipped.
    pub variables: Vec<(String, String)>,
    /// Flags that were given: the key of the setting and the text.
    pub flags: Vec<(&'static str, String)>,
}

impl Sources {
    /// The environment of this process and the flags of its command line.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(&'static str, String)>) -> Self {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self { file, variables: variables.collect(), flags }
    }

    /// Merges the three, or says everything that is unknown or unreadable.
    pub(super) fn merge(self) -> Result<Values, ConfigError> {
        let mut given = BTreeMap::new();
        let mut problems = Vec::new();
        if let Some((path, document)) = self.read_file()? {
            add_file(&path, &document, &mut given, &mut problems);
        }
        add_variables(&self.variables, &mut given, &mut problems);
        for (key, text) in self.flags {
            let origin = format!("--{}", key.replace(['_', '.'], "-"));
            given.insert(key, Given { text, origin });
        }
        if problems.is_empty() { Ok(Values::new(given)) } else { Err(ConfigError { problems }) }
    }

    /// A file that was named must be there; the default one may be missing.
    fn read_file(&self) -> Result<Option<(PathBuf, String)>, ConfigError> {
        let from_variable = self
            .variables
            .iter()
            .find(|(name, value)| name == FILE_VARIABLE && !value.is_empty())
            .map(|(_, value)| PathBuf::from(value));
        let named = self.file.clone().or(from_variable);
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        match std::fs::read_to_string(&path) {
            Ok(document) => Ok(Some((path, document))),
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => {
                Err(ConfigError { problems: vec![format!("{}: {error}", path.display())] })
            }
        }
    }
}

fn add_file(
    path: &Path,
    document: &str,
    given: &mut BTreeMap<&'static str, Given>,
    problems: &mut Vec<String>,
) {
    let entries = match yaml::parse(document) {
        Ok(entries) => entries,
        Err((line, problem)) => {
            problems.push(format!("{}:{line}: {problem}", path.display()));
            return;
        }
    };
    for entry in entries {
        let origin = format!("{}:{}", path.display(), entry.line);
        match SETTINGS.iter().find(|setting| setting.key == entry.key) {
            Some(setting) => {
                given.insert(setting.key, Given { text: entry.text, origin });
            }
            None => {
                let hint = suggestion(&entry.key, SETTINGS.iter().map(|setting| setting.key));
                problems.push(format!("{origin}: unknown key {}{hint}", entry.key));
            }
        }
    }
}

/// An empty variable counts as unset, the way compose files and unit files leave one out.
fn add_variables(
    variables: &[(String, String)],
    given: &mut BTreeMap<&'static str, Given>,
    problems: &mut Vec<String>,
) {
    let ours = variables.iter().filter(|(name, _)| name.starts_with(PREFIX));
    for (name, text) in ours.filter(|(name, _)| name != FILE_VARIABLE) {
        match SETTINGS.iter().find(|setting| setting.variable == Some(name)) {
            None if OF_CLIENTS.contains(&name.as_str()) => {}
            Some(_) if text.is_empty() => {}
            Some(setting) => {
                given.insert(setting.key, Given { text: text.clone(), origin: name.clone() });
            }
            None => {
                let known = SETTINGS.iter().filter_map(|setting| setting.variable);
                let hint = suggestion(name, known.chain([FILE_VARIABLE]));
                problems.push(format!("unknown environment variable {name}{hint}"));
            }
        }
    }
}
