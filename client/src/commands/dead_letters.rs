//! `apprun dead-letters`: async calls that failed for good, to be run again or put away.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::executions;
use crate::{
    arguments::{given, local, page, page_query, project, remote, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    server::Body,
    views::{Execution, Page},
};

pub(super) fn definition() -> Command {
    let act = |name, about| {
        let which = Arg::new("executions").value_name("EXECUTION").num_args(0..);
        let all = Arg::new("all").long("all").action(ArgAction::SetTrue);
        let dry_run = Arg::new("dry-run").long("dry-run").action(ArgAction::SetTrue);
        local(name, about, "At most 100 at once, the oldest first.")
            .arg(which.help("These, by their ids: exec-…"))
            .args(filters())
            .arg(all.help("All of the project, when nothing else says which"))
            .arg(dry_run.help("Only say which they would be"))
    };
    let list = local("list", "List the dead letters of the project, newest first", "");
    remote(
        "dead-letters",
        "Look at async calls that failed for good, run them again, put them away",
        "",
    )
    .subcommand_required(true)
    .arg_required_else_help(true)
    .arg(project())
    .subcommand(list.args(filters()).args(page()))
    .subcommand(act("redrive", "Run dead letters again, each as a new execution"))
    .subcommand(act("purge", "Take dead letters off the list; they stay in the history"))
}

fn filters() -> [Arg; 2] {
    let function = Arg::new("function").long("function").value_name("FUNCTION");
    let reason = Arg::new("reason").long("reason").value_name("REASON");
    [
        function.help("Those of this function, by name or id"),
        reason.help("Those that ended so: timeout, oom, …"),
    ]
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let (action, matches) = matches.subcommand().expect("clap insists on it");
    let function = match matches.get_one::<String>("function") {
        Some(named) => Some(resolve::function(context, named).await?),
        None => None,
    };
    let path = format!("/projects/{}/dead-letters", resolve::project(context).await?.id);
    match action {
        "list" => list(context, &path, matches, function).await,
        action => act(context, &path, action, matches, function).await,
    }
}

async fn list(
    context: &Context,
    path: &str,
    matches: &ArgMatches,
    function: Option<String>,
) -> Result<(), Failure> {
    let mut query = page_query(matches);
    query.extend(given(matches, "reason"));
    query.extend(function.map(|id| ("function_id", id)));
    let answer = context.api.get(&with_query(path, &query)).await?;
    context.answer(&answer, |page: Page<Execution>| {
        let newest = page.items.first().map(|it| it.execution_id.clone());
        executions::table(page)?;
        if let Some(id) = newest {
            context.next(format_args!("apprun dead-letters redrive {id}"));
        }
        Ok(())
    })
}

#[derive(Deserialize)]
struct DealtWith {
    matched: u64,
    dead_letters: Vec<String>,
    executions: Vec<String>,
}

async fn act(
    context: &Context,
    path: &str,
    action: &str,
    matches: &ArgMatches,
    function: Option<String>,
) -> Result<(), Failure> {
    let which = which(matches, function)?;
    let answer = context.api.post(&format!("{path}/{action}"), &Body::json(&which)).await?;
    let is_dry = matches.get_flag("dry-run");
    context.answer(&answer, |done: DealtWith| {
        let verb = match (is_dry, action) {
            (true, _) => "would be dealt with",
            (false, "redrive") => "run again",
            (false, _) => "are off the list",
        };
        context.say(format_args!("{} of {} {verb}", done.dead_letters.len(), done.matched));
        // What to look at next: the new executions, where there are any.
        let ids = if done.executions.is_empty() { done.dead_letters } else { done.executions };
        if ids.is_empty() { Ok(()) } else { output::data(&ids.join("\n")) }
    })
}

/// Nothing said is not taken for everything.
fn which(matches: &ArgMatches, function: Option<String>) -> Result<Map<String, Value>, Failure> {
    let ids: Vec<_> = matches.get_many::<String>("executions").into_iter().flatten().collect();
    let reason = matches.get_one::<String>("reason");
    let mut which = Map::new();
    which.extend((!ids.is_empty()).then(|| ("execution_ids".to_owned(), json!(ids))));
    which.extend(function.map(|id| ("function_id".to_owned(), id.into())));
    which.extend(reason.map(|reason| ("reason".to_owned(), reason.clone().into())));
    if which.is_empty() && !matches.get_flag("all") {
        return Err(Failure::usage(
            "say which: ids of executions, --function, --reason, or --all of the project",
        ));
    }
    which.insert("dry_run".to_owned(), matches.get_flag("dry-run").into());
    Ok(which)
}
