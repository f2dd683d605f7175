//! What every command works with: a server, who is asking, and how to answer.

use std::env;

use clap::ArgMatches;
use serde::de::DeserializeOwned;

use crate::{
    failure::Failure,
    output,
    server::{Address, Answer, Api, Credentials, Session},
};

const SERVER_VARIABLE: &str = "APPRUN_SERVER";
const TOKEN_VARIABLE: &str = "APPRUN_TOKEN";

/// The surroundings of one command.
pub(crate) struct Context {
    pub(crate) api: Api,
    /// Print envelopes instead of texts for people.
    pub(crate) json: bool,
    /// From `--project`: a name or an id.
    pub(crate) project: Option<String>,
}

impl Context {
    /// The server of the flag, the variable, the last login, or the one `apprun dev` starts.
    pub(crate) fn of(matches: &ArgMatches) -> Result<Self, Failure> {
        let text = |id| matches.try_get_one::<String>(id).ok().flatten().cloned();
        let store = Credentials::of_process();
        let address = match text("server").or_else(|| variable(SERVER_VARIABLE)) {
            Some(given) => Address::parse(&given)?,
            None => match store.read()?.current {
                Some(current) => Address::parse(&current)?,
                None => Address::default(),
            },
        };
        let session = Session::new(address, store, variable(TOKEN_VARIABLE))?;
        let json = matches.get_flag("json");
        Ok(Self { api: Api::new(session, json)?, json, project: text("project") })
    }

    /// Answers a command: the envelope as it came, or what `show` makes of its data.
    pub(crate) fn answer<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        show: impl FnOnce(T) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.json { output::data(&answer.envelope) } else { show(answer.data()?) }
    }

    /// Says something to a person; a program that reads envelopes is told nothing else.
    pub(crate) fn say(&self, text: impl std::fmt::Display) {
        if !self.json {
            output::say(text);
        }
    }

    /// Suggests the next command, to a person.
    pub(crate) fn next(&self, command: impl std::fmt::Display) {
        if !self.json {
            output::next(command);
        }
    }
}

/// An empty variable counts as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
