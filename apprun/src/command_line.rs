//! The command line: the commands that run a server, with one flag for every setting that has one,
//! and those of `client`, which speak to a server. Flags, variables and the file's keys come from one
//! list, `shared::config::SETTINGS`.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};
use shared::{
    config::{SETTINGS, Sources},
    domain::{Plan, TenantId},
};

/// What a call of the program asks for.
pub(crate) enum Invocation {
    /// To run a part of the product.
    Server {
        /// The command's name, one of those declared here.
        command: &'static str,
        /// Where its settings come from.
        sources: Sources,
        /// What only some commands take.
        extras: Extras,
    },
    /// To speak to a server.
    Client {
        /// The command's name, one of those that `client` declares.
        command: String,
        /// Its arguments.
        arguments: ArgMatches,
    },
}

/// What only some commands take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// `queue`: to print once, also on a terminal.
    pub(crate) once: bool,
    /// `queue` and `toolchains`: to print one JSON document.
    pub(crate) json: bool,
    /// `plan`: whose, and which; always there for it.
    pub(crate) new_plan: Option<(TenantId, Plan)>,
}

/// The commands that run something, with the first line and the rest of their help.
const COMMANDS: &[(&str, &str, &str)] = &[
    (
        "dev",
        "Run everything on this machine: Postgres, API and worker in one process",
        "State is kept in the data directory (.apprun); without database_url a PostgreSQL server of \
         its own is started there. Ctrl-C stops everything, a second one ends at once.",
    ),
    (
        "api",
        "Serve the HTTP API against a Postgres",
        "Needs database_url and jwt_secret. Any number of these may run against one database. Run \
         `apprun migrate` once before.",
    ),
    (
        "worker",
        "Build and run functions against a Postgres",
        "Needs database_url, and root for the sandbox. Any number of these may run against one \
         database. Run `apprun migrate` once before.",
    ),
    (
        "migrate",
        "Bring the database's schema up to date",
        "Needs database_url. Safe when several processes do it at once, and when there is nothing to \
         do.",
    ),
    (
        "demo",
        "Show the whole path in a temporary directory: register, deploy, call, fail, clean up",
        "Starts what `apprun dev` starts, walks through it over HTTP, prints one line per step, and \
         leaves nothing behind. Exits with 0 only if every step did what it should.",
    ),
    (
        "queue",
        "Show what waits and runs",
        "Needs database_url. A table that is refreshed every second on a terminal, and printed once \
         elsewhere.",
    ),
    (
        "rebuild",
        "Build again what the artifact store has lost",
        "Needs database_url and artifact_store. Checks the binary of every version that can be called, \
         and queues builds of those that are missing or damaged. Safe at any time, and twice.",
    ),
    (
        "plan",
        "Give a tenant another plan",
        "Needs database_url. What each plan allows is functions.plans and rate_limits in apprun.yaml. \
         Written into the tenant's audit record.",
    ),
    (
        "toolchains",
        "List the Go and Rust toolchains found on this machine, and the runtimes they serve",
        "Asks no database. Says also what was found and cannot be used, and why.",
    ),
    (
        "ready",
        "Ask the API or the worker of this machine whether it is ready",
        "Asks /ready at http_addr and worker_http_addr, prints what comes, and exits with 0 when one \
         answers and each that answers is ready.",
    ),
    ("version", "Print the version", "Prints the name and version of this binary."),
];

/// Reads the command line of this process; prints help or what is wrong and ends if that is all.
pub(crate) fn parse() -> Invocation {
    match definition().try_get_matches() {
        Ok(matches) => read(&matches),
        Err(error) => {
            let is_wrong =
                !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if is_wrong && wants_json(std::env::args_os()) {
                println!("{}", client::usage_envelope(error.to_string().trim_end()));
                std::process::exit(error.exit_code());
            }
            error.exit()
        }
    }
}

/// Whoever asked for envelopes gets one for a command line that cannot be understood, too.
fn wants_json(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.any(|argument| argument == "--json")
}

/// All commands.
pub(crate) fn definition() -> Command {
    let servers = COMMANDS.iter().map(|(name, about, more)| {
        let command = Command::new(*name).about(*about);
        let command = with_settings(command.long_about(format!("{about}.\n\n{more}")), false);
        match *name {
            "queue" => command.args(queue_flags()),
            "plan" => command.args(plan_arguments()),
            "toolchains" => {
                command.args(queue_flags().into_iter().filter(|flag| flag.get_id() == "json"))
            }
            _ => command,
        }
    });
    let program = Command::new("apprun")
        .about("Native functions and durable workflows on one Postgres")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(servers)
        .subcommands(client::definitions());
    // Settings may stand in front of the command, where help would only repeat them.
    with_settings(program, true)
}

fn with_settings(command: Command, is_hidden: bool) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .hide(is_hidden)
        .help("The configuration file [env: APPRUN_CONFIG] [default: apprun.yaml if there]");
    let settings = SETTINGS.iter().filter_map(|setting| {
        let help = match setting.variable {
            Some(variable) => format!("{} [env: {variable}]", setting.help),
            None => setting.help.to_owned(),
        };
        let flag = Arg::new(setting.key).long(setting.flag()?).value_name("VALUE").help(help);
        Some(flag.hide(is_hidden).hide_short_help(false))
    });
    command
        .arg(config)
        .next_help_heading("Settings, which are also keys of the file and variables")
        .args(settings)
}

fn queue_flags() -> [Arg; 2] {
    [("once", "Print once, also on a terminal"), ("json", "Print one JSON document")]
        .map(|(name, help)| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help))
}

fn plan_arguments() -> [Arg; 2] {
    let tenant = Arg::new("tenant").value_name("TENANT").value_parser(str::parse::<TenantId>);
    let plan = Arg::new("plan").value_name("PLAN").value_parser(str::parse::<Plan>);
    [
        tenant.required(true).help("The tenant, by its id: ten-…"),
        plan.required(true).help("free, paid or enterprise"),
    ]
}

fn read(matches: &ArgMatches) -> Invocation {
    let (name, given) = matches.subcommand().expect("clap insists on a command");
    let Some((command, ..)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
        return Invocation::Client { command: name.to_owned(), arguments: given.clone() };
    };
    let text = |key| given.get_one::<String>(key).or_else(|| matches.get_one::<String>(key));
    let flags = SETTINGS
        .iter()
        .filter(|setting| setting.has_flag)
        .filter_map(|setting| Some((setting.key, text(setting.key)?.clone())));
    let file = given.get_one::<PathBuf>("config").or_else(|| matches.get_one::<PathBuf>("config"));
    let is_set = |name| matches!(given.try_get_one::<bool>(name), Ok(Some(true)));
    let new_plan = (command == &"plan").then(|| (given.get_one("tenant"), given.get_one("plan")));
    let new_plan = new_plan.and_then(|(tenant, plan)| tenant.copied().zip(plan.copied()));
    let extras = Extras { once: is_set("once"), json: is_set("json"), new_plan };
    let sources = Sources::of_process(file.cloned(), flags.collect());
    Invocation::Server { command, sources, extras }
}

#[cfg(test)]
mod tests {
    use super::{Extras, Invocation, definition, read};

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_flag_reaches_its_setting_before_and_after_the_command() {
        for line in [["apprun", "--http-addr=x", "dev"], ["apprun", "dev", "--http-addr=x"]] {
            let invocation = read(&definition().try_get_matches_from(line).unwrap());
            let Invocation::Server { command, sources, .. } = invocation else {
                panic!("a client?")
            };
            assert_eq!(command, "dev");
            assert_eq!(sources.flags, [("http_addr", "x".to_owned())]);
        }
    }

    #[test]
    fn a_mistyped_flag_is_answered_with_the_nearest() {
        let line = ["apprun", "dev", "--htp-addr=x"];
        let message = definition().try_get_matches_from(line).unwrap_err().to_string();
        assert!(message.contains("--http-addr"), "{message}");
    }

    #[test]
    fn only_the_queue_command_takes_its_flags() {
        let line = ["apprun", "queue", "--once", "--json"];
        let invocation = read(&definition().try_get_matches_from(line).unwrap());
        let Invocation::Server { extras, .. } = invocation else { panic!("a client?") };
        assert_eq!(extras, Extras { once: true, json: true, new_plan: None });
        assert!(definition().try_get_matches_from(["apprun", "dev", "--once"]).is_err());
    }

    #[test]
    fn secrets_have_no_flag() {
        assert!(definition().try_get_matches_from(["apprun", "dev", "--jwt-secret=x"]).is_err());
    }
}
