//! `apprun invitations`: how somebody new gets into a project. An invitation opens for one address, once.

use clap::{Arg, ArgMatches, Command, value_parser};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{members::role_flag, tenants};
use crate::{
    arguments::{local, page, page_query, project, remote, required, text, with_query},
    context::Context,
    failure::Failure,
    output, resolve,
    server::Body,
    views::Page,
};

pub(super) fn definition() -> Command {
    let create = local(
        "create",
        "Invite somebody and print the invitation's token, this once",
        "Whoever has the address registers with 'apprun login --register --invitation TOKEN', or, with \
         an account, says 'apprun invitations accept TOKEN'.",
    );
    let days =
        Arg::new("days").long("expires-in-days").value_name("DAYS").help("1 to 30 [default: 7]");
    let id = required("invitation", "INVITATION", "Its id: inv-…");
    remote("invitations", "Invite people to a project, and accept invitations", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(project())
        .subcommand(local("list", "List the invitations that are open", "").args(page()))
        .subcommand(
            create
                .arg(required("email", "ADDRESS", "Only whoever has it may accept"))
                .arg(role_flag())
                .arg(days.value_parser(value_parser!(u32))),
        )
        .subcommand(local("revoke", "End an invitation", "").arg(id))
        .subcommand(
            local("accept", "Join the project that you were invited to, and choose it", "")
                .arg(required("token", "TOKEN", "The token that you were given")),
        )
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    if let Some(("accept", given)) = matches.subcommand() {
        return accept(context, text(given, "token")).await;
    }
    let path = format!("/projects/{}/invitations", resolve::project(context).await?.id);
    match matches.subcommand() {
        Some(("list", given)) => list(context, &path, given).await,
        Some(("create", given)) => create(context, &path, given).await,
        Some(("revoke", given)) => revoke(context, &path, text(given, "invitation")).await,
        other => unreachable!("{other:?} is not declared in definition"),
    }
}

#[derive(Deserialize)]
struct Invitation {
    invitation_id: String,
    email: String,
    role: String,
    expires_at: String,
}

async fn list(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let answer = context.api.get(&with_query(path, &page_query(given))).await?;
    context.answer(&answer, |page: Page<Invitation>| {
        let rows = page.items.into_iter();
        let rows = rows.map(|it| [it.invitation_id, it.email, it.role, it.expires_at]);
        output::table(["ID", "EMAIL", "ROLE", "EXPIRES"], &rows.collect::<Vec<_>>())?;
        output::more(page.next_cursor.as_deref());
        Ok(())
    })
}

#[derive(Deserialize)]
struct Created {
    token: String,
    expires_at: String,
}

async fn create(context: &Context, path: &str, given: &ArgMatches) -> Result<(), Failure> {
    let (email, role) = (text(given, "email"), text(given, "role"));
    let mut body = json!({ "email": email, "role": role });
    if let Some(days) = given.get_one::<u32>("days") {
        body["expires_in_days"] = (*days).into();
    }
    let answer = context.api.post(path, &Body::json(&body)).await?;
    context.answer(&answer, |created: Created| {
        let until = &created.expires_at;
        context
            .say(format_args!("{email} may come in until {until}; the token is shown this once"));
        output::data(&created.token)
    })
}

async fn revoke(context: &Context, path: &str, id: &str) -> Result<(), Failure> {
    let answer = context.api.send_empty(Method::DELETE, &format!("{path}/{id}")).await?;
    context.answer(&answer, |_: Value| {
        context.say(format_args!("{id} is revoked"));
        Ok(())
    })
}

#[derive(Deserialize)]
struct Accepted {
    project_id: String,
    tenant_id: String,
    role: String,
}

async fn accept(context: &Context, token: &str) -> Result<(), Failure> {
    let answer =
        context.api.post("/invitations/accept", &Body::json(&json!({ "token": token }))).await?;
    let accepted: Accepted = answer.data()?;
    tenants::enter(context, &accepted.tenant_id).await?;
    let project = resolve::project_named(context, &accepted.project_id).await?;
    context.api.session().choose(project.clone())?;
    context.answer(&answer, |_: Accepted| {
        context.say(format_args!("you are {} in project {} now", accepted.role, project.name));
        context.next("apprun functions list");
        Ok(())
    })
}
