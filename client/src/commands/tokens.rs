//! `apprun tokens`: long-lived tokens of a project, for machines.

use clap::{Arg, ArgMatches, Command, value_parser};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::members::role_flag;
use crate::{
    arguments::{local, page, page_query, project, remote, required, text, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    server::Body,
    views::Page,
};

pub(super) fn definition() -> Command {
    let days = Arg::new("days").long("expires-in-days").value_name("DAYS");
    remote("tokens", "Manage long-lived tokens of a project, for machines", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(project())
        .subcommand(local("list", "List the tokens that are good", "").args(page()))
        .subcommand(
            local(
                "create",
                "Create a token and print it, this once",
                "A machine sets it as APPRUN_TOKEN, and APPRUN_SERVER beside it.",
            )
            .arg(required("name", "NAME", "What it is for"))
            .arg(role_flag().help("What it may do; at most what you may"))
            .arg(
                days.value_parser(value_parser!(u32))
                    .help("How long it is good [default: until it is revoked]"),
            ),
        )
        .subcommand(local("revoke", "End a token", "").arg(required(
            "token",
            "TOKEN",
            "Its id: tok-…",
        )))
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let project = resolve::project(context).await?;
    let path = format!("/projects/{}/tokens", project.id);
    match matches.subcommand() {
        Some(("list", given)) => list(context, &path, given).await,
        Some(("create", given)) => create(context, &path, given).await,
        Some(("revoke", given)) => revoke(context, &path, text(given, "token")).await,
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

#[derive(Deserialize)]
struct Token {
    token_id: String,
    name: String,
    role: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

async fn list(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let answer = context.api.get(&with_query(path, &page_query(given))).await?;
    context.answer(&answer, |page: Page<Token>| {
        let rows = page.items.into_iter().map(|it| {
            let expires = it.expires_at.unwrap_or_else(|| "never".to_owned());
            let used = it.last_used_at.unwrap_or_else(|| "never".to_owned());
            [it.token_id, it.name, it.role, expires, used]
        });
        let head = ["ID", "NAME", "ROLE", "EXPIRES", "LAST USED"];
        output::table(head, &rows.collect::<Vec<_>>())?;
        output::more(page.next_cursor.as_deref());
        Ok(())
    })
}

#[derive(Serialize)]
struct NewToken<'a> {
    name: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_days: Option<u32>,
}

#[derive(Deserialize)]
struct Created {
    token_id: String,
    token: String,
}

async fn create(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let expires_in_days = given.get_one::<u32>("days").copied();
    let (name, role) = (text(given, "name"), text(given, "role"));
    let body = Body::json(&NewToken { name, role, expires_in_days });
    let answer = context.api.post(path, &body).await?;
    context.answer(&answer, |created: Created| {
        context.say(format_args!("{} is shown this once; keep it safe", created.token_id));
        output::data(&created.token)
    })
}

#[derive(Deserialize)]
struct Revoked {
    token_id: String,
}

async fn revoke(context: &Context, path: &str, id: &str) -> Result<(), Failure> {
    let path = format!("{path}/{id}");
    let answer = context.api.send_empty(Method::DELETE, &path).await?;
    context.answer(&answer, |revoked: Revoked| {
        context.say(format_args!("{} is revoked", revoked.token_id));
        Ok(())
    })
}
