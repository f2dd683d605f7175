//! `apprun executions`: calls that were made, and what became of them.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::invoke;
use crate::{
    arguments::{
        execution, function, given, local, page, page_query, project, remote, text, with_query,
    },
    context::Context,
    failure::Failure,
    output, resolve,
    server::{Answer, Body, LONG},
    views::{Execution, Page, Queued},
};

/// One long poll; the API's most.
const WAIT: &str = "60s";

const STATES: [&str; 5] = ["pending", "running", "completed", "failed", "cancelled"];

pub(super) fn definition() -> Command {
    let list = local("list", "List the calls of a function or of the project, newest first", "")
        .arg(function().required(false))
        .arg(Arg::new("status").long("status").value_parser(STATES).help("Only this far"))
        .arg(Arg::new("reason").long("reason").help("Only those that ended so: timeout, oom, …"))
        .args(page());
    let get = local(
        "get",
        "Show one call; its output goes to standard output",
        "With --wait it waits for the end, and exits with 1 unless the call completed.",
    );
    let replay = local(
        "replay",
        "Make a call again: the same version with the same input",
        "Prints the id of the new execution; with --wait its output, as 'get' does.",
    );
    let cancel = local("cancel", "End a call that waits or runs", "");
    remote("executions", "Look at calls that were made, end them, make them again", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(project())
        .subcommand(list)
        .subcommand(get.arg(execution()).arg(wait()))
        .subcommand(cancel.arg(execution()))
        .subcommand(replay.arg(execution()).arg(wait()))
}

fn wait() -> Arg {
    Arg::new("wait").long("wait").action(ArgAction::SetTrue).help("Wait until the call has ended")
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("list", given)) => list(context, given).await,
        Some(("get", given)) => {
            get(context, text(given, "execution"), given.get_flag("wait")).await
        }
        Some(("cancel", given)) => cancel(context, text(given, "execution")).await,
        Some(("replay", given)) => {
            replay(context, text(given, "execution"), given.get_flag("wait")).await
        }
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

async fn list(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let mut query = page_query(matches);
    query.extend(["status", "reason"].into_iter().filter_map(|filter| given(matches, filter)));
    let path = match matches.get_one::<String>("function") {
        Some(named) => {
            format!("/functions/{}/executions", resolve::function(context, named).await?)
        }
        None => {
            query.push(("project_id", resolve::project(context).await?.id));
            "/executions".to_owned()
        }
    };
    let answer = context.api.get(&with_query(&path, &query)).await?;
    context.answer(&answer, table)
}

/// A page of executions for people.
pub(super) fn table(page: Page<Execution>) -> Result<(), Failure> {
    let rows = page.items.into_iter().map(|it| {
        let duration = it.duration.map(|ms| format!("{ms:.1} ms")).unwrap_or_default();
        let (reason, version) = (it.reason.unwrap_or_default(), format!("v{}", it.version));
        [it.execution_id, it.status, reason, version, duration, it.queued_at]
    });
    let head = ["EXECUTION", "STATUS", "REASON", "VERSION", "DURATION", "QUEUED"];
    output::table(head, &rows.collect::<Vec<_>>())?;
    output::more(page.next_cursor.as_deref());
    Ok(())
}

async fn cancel(context: &Context, id: &str) -> Result<(), Failure> {
    let path = format!("/functions/executions/{id}/cancel");
    let answer = context.api.post(&path, &Body::Nothing).await?;
    context.answer(&answer, |execution: Execution| {
        context.say(format_args!("{id} {}", execution.ending()));
        Ok(())
    })
}

async fn replay(context: &Context, id: &str, wait: bool) -> Result<(), Failure> {
    let path = format!("/functions/executions/{id}/replay");
    let answer = context.api.post(&path, &Body::Nothing).await?;
    if wait {
        let queued: Queued = answer.data()?;
        return get(context, &queued.execution_id, wait).await;
    }
    invoke::queued(context, &answer)
}

async fn get(context: &Context, id: &str, wait: bool) -> Result<(), Failure> {
    let mut answer = look(context, id, wait).await?;
    let mut execution: Execution = answer.data()?;
    while wait && !execution.has_ended() {
        answer = look(context, id, wait).await?;
        execution = answer.data()?;
    }
    show(context, &answer, &execution)?;
    match wait && execution.status != "completed" {
        true => Err(Failure::ExecutionFailed(format!("{id} {}", execution.ending()))),
        false => Ok(()),
    }
}

async fn look(context: &Context, id: &str, wait: bool) -> Result<Answer, Failure> {
    let query = if wait { vec![("wait", WAIT.to_owned())] } else { Vec::new() };
    let path = with_query(&format!("/functions/executions/{id}"), &query);
    context.api.call(reqwest::Method::GET, &path, &Body::Nothing, LONG).await
}

/// What people see of an execution beside its row.
#[derive(Deserialize)]
struct Payload {
    output: Option<Box<RawValue>>,
    logs: String,
}

/// The output as data; everything about it to whoever watches.
fn show(context: &Context, answer: &Answer, execution: &Execution) -> Result<(), Failure> {
    context.answer(answer, |payload: Payload| {
        if !payload.logs.is_empty() {
            context.say(payload.logs.trim_end());
        }
        context.say(format_args!(
            "{} {}, version {}, queued {}",
            execution.execution_id,
            execution.ending(),
            execution.version,
            execution.queued_at
        ));
        match payload.output {
            Some(output) if output.get() != "null" || execution.status == "completed" => {
                output::data(output.get())
            }
            _ => Ok(()),
        }
    })
}
