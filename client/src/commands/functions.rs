//! `apprun functions`: what is deployed, its versions, and its end.

use clap::{ArgMatches, Command};
use reqwest::Method;

use crate::{
    arguments::{function, local, page, page_query, project, remote, text, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    views::{Build, Function, FunctionDetails, Page, Version},
};

pub(super) fn definition() -> Command {
    remote("functions", "Look at functions, and delete them", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(project())
        .subcommand(local("list", "List the functions of the project", "").args(page()))
        .subcommand(local("get", "Show one function and its newest build", "").arg(function()))
        .subcommand(
            local("versions", "List the versions of a function", "").arg(function()).args(page()),
        )
        .subcommand(local("delete", "Delete a function; what runs ends first", "").arg(function()))
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("list", given)) => list(context, given).await,
        Some(("get", given)) => get(context, text(given, "function")).await,
        Some(("versions", given)) => versions(context, given).await,
        Some(("delete", given)) => delete(context, text(given, "function")).await,
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

async fn list(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let project = resolve::project(context).await?;
    let mut query = page_query(given);
    query.push(("project_id", project.id));
    let answer = context.api.get(&with_query("/functions", &query)).await?;
    context.answer(&answer, |page: Page<Function>| {
        let rows = page.items.iter().map(|it| {
            let version = format!("v{}", it.version);
            let (name, status) = (it.name.clone(), it.status.clone());
            [name, status, version, it.runtime.clone(), it.updated_at.clone()]
        });
        let rows: Vec<_> = rows.collect();
        output::table(["NAME", "STATUS", "VERSION", "RUNTIME", "UPDATED"], &rows)?;
        output::more(page.next_cursor.as_deref());
        if rows.is_empty() {
            context.next("apprun init hello");
        }
        Ok(())
    })
}

async fn get(context: &Context, named: &str) -> Result<(), Failure> {
    let id = resolve::function(context, named).await?;
    let answer = context.api.get(&format!("/functions/{id}")).await?;
    context.answer(&answer, |details: FunctionDetails| {
        let (function, build) = (&details.function, details.newest_build());
        let facts = [
            ("id", function.function_id.clone()),
            ("name", function.name.clone()),
            ("description", details.description.clone()),
            ("status", function.status.clone()),
            ("version", function.version.clone()),
            ("runtime", function.runtime.clone()),
            ("timeout", format!("{} s", details.timeout)),
            ("memory", format!("{} MiB", details.memory)),
            ("network", details.network.clone()),
            ("at once", details.max_concurrency.map(|it| it.to_string()).unwrap_or_default()),
            ("events", details.events.join(", ")),
            ("variables", details.env.keys().cloned().collect::<Vec<_>>().join(", ")),
            ("secrets", details.secrets.join(", ")),
            ("newest build", shown(build)),
            ("updated", function.updated_at.clone()),
        ];
        let said: Vec<_> = facts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        output::facts(&said)?;
        context.next(format_args!("apprun logs {}", function.name));
        Ok(())
    })
}

/// `build-… of version 2: pending (no worker has go ≥ 1.30 …)`
fn shown(build: &Build) -> String {
    let why = build.message.as_ref().map(|message| format!(" ({message})"));
    let (id, version, status) = (&build.build_id, &build.version, &build.status);
    format!("{id} of version {version}: {status}{}", why.unwrap_or_default())
}

async fn versions(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let named = text(given, "function");
    let id = resolve::function(context, named).await?;
    let path = with_query(&format!("/functions/{id}/versions"), &page_query(given));
    let answer = context.api.get(&path).await?;
    context.answer(&answer, |page: Page<Version>| {
        let rows = page.items.into_iter().map(|it| {
            let serves = if it.serves { "serves" } else { "" };
            [it.version, it.build_status, serves.to_owned(), it.runtime, it.created_at]
        });
        output::table(["VERSION", "BUILD", "", "RUNTIME", "CREATED"], &rows.collect::<Vec<_>>())?;
        output::more(page.next_cursor.as_deref());
        context.next(format_args!("apprun rollback {named} VERSION"));
        Ok(())
    })
}

async fn delete(context: &Context, named: &str) -> Result<(), Failure> {
    let id = resolve::function(context, named).await?;
    let answer = context.api.send_empty(Method::DELETE, &format!("/functions/{id}")).await?;
    context.answer(&answer, |_: serde_json::Value| {
        context.say(format_args!("{named} is deleted"));
        Ok(())
    })
}
