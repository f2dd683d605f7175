//! `apprun secrets`: what a function is told and nobody else. A value never stands on a command line or
//! in a manifest: it comes from standard input, a terminal, or the environment of `apprun deploy`.

use std::io::{self, IsTerminal, Read};

use clap::{Arg, ArgMatches, Command};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    arguments::{function, local, project, remote, required, text},
    context::{Context, variable},
    failure::Failure,
    folder::Manifest,
    output, prompt, resolve,
    server::Body,
};

/// Far above what the API takes.
const MAX_VALUE_BYTES: u64 = 1024 * 1024;

pub(super) fn definition() -> Command {
    let set = local(
        "set",
        "Give a secret a value",
        "The value is read from standard input, without the end of its last line, or asked for on a \
         terminal. Takes effect at once, without a build.",
    );
    remote("secrets", "Look at the names of a function's secrets, set them and take them away", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(project())
        .subcommand(
            local("list", "List their names; values are shown to nobody", "").arg(function()),
        )
        .subcommand(set.arg(function()).arg(name()))
        .subcommand(local("unset", "Take a secret away", "").arg(function()).arg(name()))
}

fn name() -> Arg {
    required("name", "NAME", "The variable that the function reads: SMTP_PASSWORD")
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("list", given)) => list(context, text(given, "function")).await,
        Some(("set", given)) => {
            let value = read_value(text(given, "name")).await?;
            change(context, given, Value::String(value)).await
        }
        Some(("unset", given)) => change(context, given, Value::Null).await,
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

#[derive(Deserialize)]
struct Secrets {
    secrets: Vec<String>,
}

async fn list(context: &Context, named: &str) -> Result<(), Failure> {
    let id = resolve::function(context, named).await?;
    let answer = context.api.get(&format!("/functions/{id}")).await?;
    context.answer(&answer, |found: Secrets| {
        if found.secrets.is_empty() {
            context.say(format_args!("{named} has no secrets"));
            context.next(format_args!("apprun secrets set {named} NAME"));
            return Ok(());
        }
        output::data(&found.secrets.join("\n"))
    })
}

#[derive(Deserialize)]
struct Changed {
    version: String,
}

async fn change(context: &Context, given: &ArgMatches, value: Value) -> Result<(), Failure> {
    let (named, name) = (text(given, "function"), text(given, "name"));
    let id = resolve::function(context, named).await?;
    let done = if value.is_null() { "gone" } else { "set" };
    let body = Body::json(&json!({ "secrets": { name: value } }));
    let answer = context.api.put(&format!("/functions/{id}"), &body).await?;
    context.answer(&answer, |changed: Changed| {
        context.say(format_args!("{name} is {done}: {named} version {}", changed.version));
        Ok(())
    })
}

async fn read_value(name: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return prompt::ask_secret(name, "the value comes from standard input").await;
    }
    let mut value = String::new();
    let read = io::stdin().lock().take(MAX_VALUE_BYTES).read_to_string(&mut value);
    read.map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    match value.strip_suffix('\r').unwrap_or(value) {
        "" => Err(Failure::usage("standard input, where the value is read from, is empty")),
        value => Ok(value.to_owned()),
    }
}

/// The values that the environment has for a manifest's secrets. One without a value has to be the
/// function's already.
pub(super) async fn from_environment(
    context: &Context,
    manifest: &Manifest,
    function: Option<&str>,
) -> Result<Map<String, Value>, Failure> {
    let value = |name: &String| Some((name.clone(), Value::String(variable(name)?)));
    let values: Map<_, _> = manifest.secrets.iter().filter_map(value).collect();
    let mut missing = manifest.secrets.clone();
    missing.retain(|name| !values.contains_key(name));
    if let (Some(id), false) = (function, missing.is_empty()) {
        let known: Secrets = context.api.get(&format!("/functions/{id}")).await?.data()?;
        missing.retain(|name| !known.secrets.contains(name));
    }
    match missing.as_slice() {
        [] => Ok(values),
        missing => Err(Failure::usage(format!(
            "no value for the secrets {} of {}: set the variables of these names",
            missing.join(", "),
            manifest.name
        ))),
    }
}
