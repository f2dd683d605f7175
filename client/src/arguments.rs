//! Arguments that several commands share.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::failure::EXIT_CODES;

/// A command that talks to a server: its name, its one line, and what its help says besides.
pub(crate) fn remote(name: &'static str, about: &'static str, more: &'static str) -> Command {
    with_output(local(name, about, more)).arg(
        Arg::new("server")
            .long("server")
            .value_name("URL")
            .global(true)
            .help("The server [env: APPRUN_SERVER] [default: that of the last login]"),
    )
}

/// A command that talks to nobody.
pub(crate) fn local(name: &'static str, about: &'static str, more: &'static str) -> Command {
    let long = if more.is_empty() { format!("{about}.") } else { format!("{about}.\n\n{more}") };
    Command::new(name).about(about).long_about(long).after_long_help(EXIT_CODES)
}

fn with_output(command: Command) -> Command {
    command.arg(
        Arg::new("json")
            .long("json")
            .action(ArgAction::SetTrue)
            .global(true)
            .help("Print the API's whole answer as JSON, success and failure alike"),
    )
}

/// Which project the names belong to.
pub(crate) fn project() -> Arg {
    Arg::new("project")
        .long("project")
        .value_name("PROJECT")
        .global(true)
        .help("The project, by name or id [default: that of 'apprun project use', or the only one]")
}

/// The function that a command is about.
pub(crate) fn function() -> Arg {
    required("function", "FUNCTION", "The function, by name or id")
}

/// The execution that a command is about.
pub(crate) fn execution() -> Arg {
    required("execution", "EXECUTION", "The execution, by its id: exec-…")
}

/// The folder that a command is about.
pub(crate) fn folder() -> Arg {
    required("folder", "DIR", "The function's folder").value_parser(value_parser!(PathBuf))
}

/// A text that has to be given.
pub(crate) fn required(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(name).required(true).help(help)
}

/// A page of a list, for a command that prints one.
pub(crate) fn page() -> [Arg; 2] {
    let limit = Arg::new("limit").long("limit").value_name("N").default_value("50");
    let cursor = Arg::new("cursor").long("cursor").value_name("CURSOR");
    [
        limit.value_parser(value_parser!(u16).range(1..=200)).help("Rows at most, up to 200"),
        cursor.help("Go on behind a page; its end said where"),
    ]
}

/// The text of an argument that clap insists on, or that has a default.
pub(crate) fn text<'a>(matches: &'a ArgMatches, id: &str) -> &'a str {
    matches.get_one::<String>(id).map_or("", String::as_str)
}

/// An optional argument as part of a query, under its own name.
pub(crate) fn given(matches: &ArgMatches, id: &'static str) -> Option<(&'static str, String)> {
    Some((id, matches.get_one::<String>(id)?.clone()))
}

/// The page as part of a query.
pub(crate) fn page_query(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let limit = matches.get_one::<u16>("limit").map(|limit| ("limit", limit.to_string()));
    let cursor = matches.get_one::<String>("cursor").map(|cursor| ("cursor", cursor.clone()));
    limit.into_iter().chain(cursor).collect()
}

/// A path with a query. Values are ids, cursors, numbers and names of states.
pub(crate) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    // The base stands in for any server; only what follows it is used.
    let mut url = reqwest::Url::parse("http://host").expect("a constant URL is valid");
    url.query_pairs_mut().extend_pairs(query);
    match url.query() {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        _ => path.to_owned(),
    }
}
