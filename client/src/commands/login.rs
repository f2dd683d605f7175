//! `apprun login`: an account's tokens, for this and later commands. A password never stands on the
//! command line, where every user of the machine could read it.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use crate::{
    arguments::remote,
    context::{Context, variable},
    failure::Failure,
    prompt,
    server::{Body, Login, Tokens},
};

const PASSWORD_VARIABLE: &str = "APPRUN_PASSWORD";

pub(super) fn definition() -> Command {
    remote(
        "login",
        "Log in to a server and remember it",
        "The password comes from standard input (--password-stdin), from APPRUN_PASSWORD, or is asked \
         for on a terminal. Tokens are kept in apprun/credentials.json under XDG_CONFIG_HOME (or \
         ~/.config), readable by you alone. Machines need no login: they set APPRUN_TOKEN.",
    )
    .arg(
        Arg::new("email")
            .long("email")
            .value_name("ADDRESS")
            .help("Whose account; asked for on a terminal when left out"),
    )
    .arg(
        Arg::new("password-stdin")
            .long("password-stdin")
            .action(ArgAction::SetTrue)
            .help("Read the password from the first line of standard input"),
    )
    .arg(
        Arg::new("register")
            .long("register")
            .action(ArgAction::SetTrue)
            .help("Create the account first"),
    )
    .arg(ticket("invitation", "Join the project of this invitation"))
    .arg(ticket("setup-token", "Make a server's first account with the token that it printed"))
}

fn ticket(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("TOKEN").requires("register").help(help)
}

#[derive(Serialize)]
struct NewAccount<'a> {
    #[serde(flatten)]
    credentials: &'a Credentials<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_token: Option<&'a String>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    email: &'a str,
    password: &'a str,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let email = match matches.get_one::<String>("email") {
        Some(email) => email.clone(),
        None => prompt::ask("E-mail address", "say whose account with --email")?,
    };
    let password = password(matches.get_flag("password-stdin")).await?;
    let credentials = Credentials { email: &email, password: &password };
    if matches.get_flag("register") {
        let body = Body::json(&NewAccount {
            credentials: &credentials,
            invitation: matches.get_one("invitation"),
            setup_token: matches.get_one("setup-token"),
        });
        context.api.post_openly("/auth/register", &body).await?;
    }
    let body = Body::json(&credentials);
    let tokens: Tokens = context.api.post_openly("/auth/login", &body).await?.data()?;
    // The chosen project belongs to the account; somebody else's is not carried over.
    let before = context.api.session().remembered()?.filter(|login| login.email == email);
    context.api.session().remember(Login {
        expires_at: tokens.expires_at(),
        project: before.and_then(|login| login.project),
        email: email.clone(),
        refresh_token: tokens.refresh_token,
        access_token: tokens.access_token.clone(),
    })?;
    if context.json {
        // Not the login's own answer: tokens have no business in a log.
        let me = context.api.get_as(&tokens.access_token, "/auth/me").await?;
        return crate::output::data(&me.envelope);
    }
    context.say(format_args!("logged in to {} as {email}", context.api.address()));
    if variable("APPRUN_TOKEN").is_some() {
        context.say("APPRUN_TOKEN is set and outweighs this login");
    }
    context.next("apprun project list");
    Ok(())
}

async fn password(from_stdin: bool) -> Result<String, Failure> {
    if from_stdin {
        return prompt::read_line();
    }
    match variable(PASSWORD_VARIABLE) {
        Some(password) => Ok(password),
        None => {
            let otherwise = "without a terminal the password comes from APPRUN_PASSWORD, or from \
                             standard input with --password-stdin";
            prompt::ask_secret("Password", otherwise).await
        }
    }
}
