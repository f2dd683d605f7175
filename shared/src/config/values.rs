//! Takes texts out one by one and turns them into values, gathering every problem on the way.

use std::{collections::BTreeMap, fmt::Display, ops::RangeInclusive, str::FromStr};

use super::ConfigError;

/// What was set, as text.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) text: String,
    /// `apprun.yaml:7`, `APPRUN_HTTP_ADDR` or `--http-addr`.
    pub(super) origin: String,
}

/// The merged texts, and the problems found in them so far.
#[derive(Debug)]
pub(super) struct Values {
    given: BTreeMap<&'static str, Given>,
    problems: Vec<String>,
}

impl Values {
    pub(super) fn new(given: BTreeMap<&'static str, Given>) -> Self {
        Self { given, problems: Vec::new() }
    }

    /// The value of `key` if it was set. `parse` says what is allowed when it refuses.
    pub(super) fn optional<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Given { text, origin } = self.given.get(key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problems.push(format!("{key} = {text:?} ({origin}): {reason}"));
                None
            }
        }
    }

    /// Like [`Self::optional`], but the text stays out of the message.
    pub(super) fn secret<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Given { text, origin } = self.given.get(key)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problems.push(format!("{key} ({origin}): {reason}"));
                None
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        let (least, most) = (*range.start(), *range.end());
        self.optional(key, |text| {
            text.parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| format!("must be a whole number from {least} to {most}"))
        })
        .unwrap_or(default)
    }

    /// One of the words of a closed list.
    pub(super) fn word<T>(&mut self, key: &'static str, default: T) -> T
    where
        T: FromStr,
        T::Err: Display,
    {
        self.optional(key, str::parse).unwrap_or(default)
    }

    /// Notes a problem between two values.
    pub(super) fn require(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.problems.push(problem());
        }
    }

    /// `value` if nothing was wrong.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError { problems: self.problems })
        }
    }
}
