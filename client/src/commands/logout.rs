//! `apprun logout`: ends the session at the server and forgets it here.

use clap::Command;

use crate::{arguments::remote, context::Context, failure::Failure, output, server::Body};

pub(super) fn definition() -> Command {
    remote(
        "logout",
        "End the session and forget it",
        "It is forgotten here even when the server cannot be reached.",
    )
}

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let session = context.api.session();
    if session.login().is_none() {
        return Err(Failure::NotLoggedIn { server: context.api.address().to_string() });
    }
    let answer = context.api.post("/auth/logout", &Body::Nothing).await;
    session.forget()?;
    match answer {
        Ok(answer) if context.json => return output::data(&answer.envelope),
        Ok(_) => {}
        // Over already: what was asked for is so.
        Err(Failure::Refused(refusal)) if refusal.status == 401 && !context.json => {}
        Err(failure) => return Err(failure),
    }
    context.say(format_args!("logged out of {}", context.api.address()));
    Ok(())
}
