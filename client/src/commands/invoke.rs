//! `apprun invoke`: calls a function. Input and output are passed on byte for byte, so numbers of any
//! size survive.

use std::{
    fs,
    io::{self, Read},
    path::PathBuf,
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use reqwest::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    arguments::{function, given, project, remote, text, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    server::{Answer, Body, LONG},
    views::{Called, Queued},
};

/// Stands for standard input.
const STDIN: &str = "-";
/// Far above what any server takes; it bounds what is read before the server says so.
const MAX_INPUT_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn definition() -> Command {
    remote(
        "invoke",
        "Call a function",
        "Prints what the function answers; what it logged goes to standard error. Without an input it \
         is given null. With --async the call is queued and its execution's id printed.",
    )
    .arg(function())
    .arg(Arg::new("input").value_name("JSON").help("The input; - reads it from standard input"))
    .arg(
        Arg::new("file")
            .long("file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .conflicts_with("input")
            .help("Read the input from a file"),
    )
    .arg(
        Arg::new("async")
            .long("async")
            .action(ArgAction::SetTrue)
            .help("Queue the call and do not wait for it"),
    )
    .arg(
        Arg::new("timeout")
            .long("timeout")
            .value_name("DURATION")
            .help("A shorter limit than the function's own: 500ms, 20s"),
    )
    .arg(project())
}

#[derive(Serialize)]
struct Call<'a> {
    input: &'a RawValue,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let input = input(matches)?;
    let named = text(matches, "function");
    let id = resolve::function(context, named).await?;
    let body = Body::json(&Call { input: &input });
    let query: Vec<_> = given(matches, "timeout").into_iter().collect();
    if matches.get_flag("async") {
        let path = with_query(&format!("/functions/{id}/invoke-async"), &query);
        return queued(context, &context.api.post(&path, &body).await?);
    }
    let path = with_query(&format!("/functions/{id}/invoke"), &query);
    let called = context.api.call(Method::POST, &path, &body, LONG).await;
    if let Err(Failure::Refused(refusal)) = &called
        && let Some(logs) = refusal.details.get("logs").and_then(|logs| logs.as_str())
    {
        say_logs(context, logs);
    }
    context.answer(&called?, |called: Called| {
        say_logs(context, &called.logs);
        context.say(format_args!(
            "{} took {:.1} ms and {:.1} MiB",
            called.execution_id, called.duration, called.memory_used
        ));
        output::data(called.output.get())
    })
}

/// Tells of a call that will be carried out: its id, and how to wait for it.
pub(super) fn queued(context: &Context, answer: &Answer) -> Result<(), Failure> {
    context.answer(answer, |queued: Queued| {
        output::data(&queued.execution_id)?;
        context.next(format_args!("apprun executions get {} --wait", queued.execution_id));
        Ok(())
    })
}

fn say_logs(context: &Context, logs: &str) {
    if !logs.is_empty() {
        context.say(logs.trim_end());
    }
}

/// The input as it was written, once it is seen to be JSON.
fn input(matches: &ArgMatches) -> Result<Box<RawValue>, Failure> {
    let argument = matches.get_one::<String>("input").map(String::as_str);
    let (text, origin) = match (argument, matches.get_one::<PathBuf>("file")) {
        (_, Some(path)) => {
            let file = fs::File::open(path).map_err(|error| unreadable(path.display(), &error))?;
            (read(file, path.display())?, path.display().to_string())
        }
        (Some(STDIN), None) => (read(io::stdin().lock(), "standard input")?, STDIN.to_owned()),
        (Some(text), None) => (text.to_owned(), "the input".to_owned()),
        (None, None) => ("null".to_owned(), String::new()),
    };
    serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{origin} is not JSON: {error}")))
}

fn read(source: impl Read, name: impl std::fmt::Display) -> Result<String, Failure> {
    let mut text = String::new();
    let read = source.take(MAX_INPUT_BYTES).read_to_string(&mut text);
    read.map_err(|error| unreadable(name, &error))?;
    Ok(text)
}

fn unreadable(name: impl std::fmt::Display, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {name}: {error}"))
}
