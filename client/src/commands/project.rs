//! `apprun project`: list and create projects, and choose the one that names are looked up in.

use clap::{ArgMatches, Command};
use serde::Serialize;

use crate::{
    arguments::{local, page, page_query, remote, required, text, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    server::{Body, SavedProject},
    views::{Page, Project},
};

pub(super) fn definition() -> Command {
    remote("project", "List, create and choose projects", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(local("list", "List your projects", "").args(page()))
        .subcommand(local("create", "Create a project and choose it", "").arg(required(
            "name",
            "NAME",
            "What it is called",
        )))
        .subcommand(
            local(
                "use",
                "Choose the project that later commands are about",
                "Remembered with the login. --project outweighs it for one command.",
            )
            .arg(required("name", "PROJECT", "The project, by name or id")),
        )
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("list", given)) => list(context, given).await,
        Some(("create", given)) => create(context, text(given, "name")).await,
        Some(("use", given)) => choose(context, text(given, "name")).await,
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

async fn list(context: &Context, given: &ArgMatches) -> Result<(), Failure> {
    let answer = context.api.get(&with_query("/projects", &page_query(given))).await?;
    let chosen = context.api.session().login().and_then(|login| login.project);
    context.answer(&answer, |page: Page<Project>| {
        let is_chosen = |id: &str| chosen.as_ref().is_some_and(|project| project.id == id);
        let rows = page.items.iter().map(|project| {
            let mark = if is_chosen(&project.project_id) { "chosen" } else { "" };
            [project.name.clone(), project.project_id.clone(), mark.to_owned()]
        });
        output::table(["NAME", "ID", ""], &rows.collect::<Vec<_>>())?;
        output::more(page.next_cursor.as_deref());
        if page.items.is_empty() {
            context.next("apprun project create my-project");
        }
        Ok(())
    })
}

#[derive(Serialize)]
struct NewProject<'a> {
    name: &'a str,
}

async fn create(context: &Context, name: &str) -> Result<(), Failure> {
    let answer = context.api.post("/projects", &Body::json(&NewProject { name })).await?;
    let created: Project = answer.data()?;
    let project = SavedProject { id: created.project_id, name: created.name };
    let is_chosen = context.api.session().login().is_some();
    if is_chosen {
        context.api.session().choose(project.clone())?;
    }
    context.answer(&answer, |_: Project| {
        context.say(format_args!(
            "project {} is created{}",
            project.name,
            if is_chosen { " and chosen" } else { "" }
        ));
        output::data(&project.id)?;
        context.next("apprun init hello");
        Ok(())
    })
}

async fn choose(context: &Context, named: &str) -> Result<(), Failure> {
    let project = resolve::project_named(context, named).await?;
    let answer = context.api.get(&format!("/projects/{}", project.id)).await?;
    context.api.session().choose(project)?;
    context.answer(&answer, |project: Project| {
        context.say(format_args!("commands are about project {} now", project.name));
        Ok(())
    })
}
