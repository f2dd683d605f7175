//! Which commands there are, which one was asked for, and how its failure is told.

use std::{io, process::ExitCode};

use clap::{ArgMatches, Command};

use super::{
    completions, dead_letters, deploy, executions, functions, init, invitations, invoke, login,
    logout, logs, members, project, rollback, secrets, tenants, tokens, whoami,
};
use crate::{context::Context, failure::Failure, output};

/// Every command, in the order in which somebody new needs them.
pub fn definitions() -> [Command; 18] {
    [
        login::definition(),
        logout::definition(),
        whoami::definition(),
        project::definition(),
        init::definition(),
        deploy::definition(),
        functions::definition(),
        invoke::definition(),
        rollback::definition(),
        secrets::definition(),
        logs::definition(),
        executions::definition(),
        dead_letters::definition(),
        members::definition(),
        invitations::definition(),
        tenants::definition(),
        tokens::definition(),
        completions::definition(),
    ]
}

/// Carries out one of them; `program` is the whole command line, for completions.
pub async fn run(name: &str, matches: &ArgMatches, program: Command) -> ExitCode {
    let done = match name {
        "init" => init::run(matches),
        "completions" => completions::run(matches, program),
        _ => remote(name, matches).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough, as in `apprun logs hello | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let as_json = matches.try_get_one::<bool>("json").ok().flatten().is_some_and(|it| *it);
            report(&failure, as_json);
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn remote(name: &str, matches: &ArgMatches) -> Result<(), Failure> {
    let context = Context::of(matches)?;
    match name {
        "login" => login::run(&context, matches).await,
        "logout" => logout::run(&context).await,
        "whoami" => whoami::run(&context).await,
        "project" => project::run(&context, matches).await,
        "deploy" => deploy::run(&context, matches).await,
        "functions" => functions::run(&context, matches).await,
        "invoke" => invoke::run(&context, matches).await,
        "rollback" => rollback::run(&context, matches).await,
        "secrets" => secrets::run(&context, matches).await,
        "logs" => logs::run(&context, matches).await,
        "executions" => executions::run(&context, matches).await,
        "dead-letters" => dead_letters::run(&context, matches).await,
        "members" => members::run(&context, matches).await,
        "invitations" => invitations::run(&context, matches).await,
        "tenants" => tenants::run(&context, matches).await,
        "tokens" => tokens::run(&context, matches).await,
        other => unreachable!("{other} is not declared in definitions"),
    }
}

/// An envelope for a program, or one line and a suggestion for a person.
fn report(failure: &Failure, as_json: bool) {
    match failure.envelope().filter(|_| as_json) {
        Some(envelope) => {
            // Nothing is left to say it with when this fails too.
            let _ = output::data(&envelope);
        }
        None => {
            output::say(format_args!("apprun: {failure}"));
            if let Failure::Refused(refusal) = failure
                && refusal.is_theirs()
                && let Some(request) = &refusal.request_id
            {
                output::say(format_args!("request: {request}"));
            }
            if let Some(command) = failure.next() {
                output::next(command);
            }
        }
    }
}
