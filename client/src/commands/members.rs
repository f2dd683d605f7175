//! `apprun members`: who may do what in a project.

use clap::{Arg, ArgMatches, Command};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    arguments::{local, page, page_query, project, remote, required, text, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    server::Body,
    views::Page,
};

pub(super) const ROLES: [&str; 4] = ["viewer", "member", "admin", "owner"];

pub(super) fn definition() -> Command {
    let add = local(
        "add",
        "Give somebody of the tenant a role in the project",
        "Somebody who is new to the tenant is invited: 'apprun invitations create'.",
    );
    let role = local("role", "Change what somebody may do in the project", "");
    let new_role = Arg::new("role").value_name("ROLE").required(true).value_parser(ROLES);
    remote("members", "Manage who may do what in a project", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(project())
        .subcommand(local("list", "List the members of the project", "").args(page()))
        .subcommand(
            add.arg(required("email", "ADDRESS", "As they log in with it")).arg(role_flag()),
        )
        .subcommand(role.arg(who()).arg(new_role.help("What they may do")))
        .subcommand(local("remove", "Take somebody's role in the project away", "").arg(who()))
}

/// What somebody, or a machine, may do.
pub(super) fn role_flag() -> Arg {
    Arg::new("role")
        .long("role")
        .value_parser(ROLES)
        .default_value("member")
        .help("What they may do")
}

fn who() -> Arg {
    required("who", "WHO", "Their address or id")
}

#[derive(Deserialize)]
struct Member {
    user_id: String,
    /// Machines have none.
    email: Option<String>,
    name: String,
    role: String,
    since: String,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let project = resolve::project(context).await?;
    let path = format!("/projects/{}/members", project.id);
    match matches.subcommand() {
        Some(("list", given)) => list(context, &path, given).await,
        Some(("add", given)) => add(context, &path, given).await,
        Some(("role", given)) => change(context, &path, given).await,
        Some(("remove", given)) => remove(context, &path, text(given, "who")).await,
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

async fn list(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let answer = context.api.get(&with_query(path, &page_query(given))).await?;
    context.answer(&answer, |page: Page<Member>| {
        let rows = page
            .items
            .into_iter()
            .map(|it| [it.email.unwrap_or_default(), it.name, it.role, it.since, it.user_id]);
        output::table(["EMAIL", "NAME", "ROLE", "SINCE", "ID"], &rows.collect::<Vec<_>>())?;
        output::more(page.next_cursor.as_deref());
        Ok(())
    })
}

async fn add(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let (email, role) = (text(given, "email"), text(given, "role"));
    let added = context.api.post(path, &Body::json(&json!({ "email": email, "role": role }))).await;
    if let Err(Failure::Refused(refusal)) = &added
        && refusal.code == "NOT_FOUND"
    {
        context.next(format_args!("apprun invitations create {email} --role {role}"));
    }
    context.answer(&added?, |member: Member| {
        context.say(format_args!("{email} is {} now", member.role));
        output::data(&member.user_id)
    })
}

async fn change(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let (who, role) = (text(given, "who"), text(given, "role"));
    let id = id_of(context, path, who).await?;
    let answer =
        context.api.put(&format!("{path}/{id}"), &Body::json(&json!({ "role": role }))).await?;
    context.answer(&answer, |member: Member| {
        context.say(format_args!("{who} is {} now", member.role));
        Ok(())
    })
}

async fn remove(context: &Context, path: &str, who: &str) -> Result<(), Failure> {
    let id = id_of(context, path, who).await?;
    let answer = context.api.send_empty(Method::DELETE, &format!("{path}/{id}")).await?;
    context.answer(&answer, |_: Value| {
        context.say(format_args!("{who} has no role of their own in the project any more"));
        Ok(())
    })
}

/// An id as it is; that of an address from the list.
async fn id_of(context: &Context, path: &str, who: &str) -> Result<String, Failure> {
    if who.starts_with("user-") {
        return Ok(who.to_owned());
    }
    let members: Vec<Member> = resolve::all(context, path, &[]).await?;
    let emails: Vec<_> = members.iter().filter_map(|member| member.email.clone()).collect();
    let mut members = members.into_iter();
    let is_it = |it: &Member| it.email.as_ref().is_some_and(|email| resolve::same(email, who));
    let found = members.find(is_it).map(|member| member.user_id);
    found.ok_or_else(|| resolve::no_such("member", who, &emails))
}
