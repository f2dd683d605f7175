//! `apprun rollback`: an earlier version serves again, without a build.

use clap::{ArgMatches, Command};
use serde::Serialize;

use crate::{
    arguments::{function, remote, required, text},
    context::Context,
    failure::Failure,
    resolve,
    server::Body,
};

pub(super) fn definition() -> Command {
    remote("rollback", "Let an earlier version serve again, without a build", "")
        .arg(function())
        .arg(required("version", "VERSION", "Which one; `apprun functions versions` lists them"))
}

#[derive(Serialize)]
struct RollBack<'a> {
    version: &'a str,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let (named, version) = (text(matches, "function"), text(matches, "version"));
    let id = resolve::function(context, named).await?;
    let body = Body::json(&RollBack { version });
    let answer = context.api.post(&format!("/functions/{id}/rollback"), &body).await?;
    context.answer(&answer, |_: serde_json::Value| {
        context.say(format_args!("{named} version {version} serves"));
        context.next(format_args!("apprun invoke {named} '{{}}'"));
        Ok(())
    })
}
