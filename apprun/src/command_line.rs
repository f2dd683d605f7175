//! The command line: the commands, and one flag for every setting that has one. Flags, variables
//! and the file's keys come from one list, `shared::config::SETTINGS`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use shared::config::{SETTINGS, Sources};

/// What a call of the program asks for.
pub(crate) struct Invocation {
    /// The command's name, one of those declared here.
    pub(crate) command: &'static str,
    /// Where its settings come from.
    pub(crate) sources: Sources,
}

/// The commands, with the first line and the rest of their help.
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
    ("version", "Print the version", "Prints the name and version of this binary."),
];

/// Reads the command line of this process; prints help or what is wrong and ends if that is all.
pub(crate) fn parse() -> Invocation {
    read(&definition().get_matches())
}

fn definition() -> Command {
    let commands = COMMANDS.iter().map(|(name, about, more)| {
        Command::new(*name).about(*about).long_about(format!("{about}.\n\n{more}"))
    });
    Command::new("apprun")
        .about("Native functions and durable workflows on one Postgres")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands)
        .arg(
            Arg::new("config")
                .long("config")
                .global(true)
                .value_name("FILE")
                .value_parser(clap::value_parser!(PathBuf))
                .help(
                    "The configuration file [env: APPRUN_CONFIG] [default: apprun.yaml if there]",
                ),
        )
        .next_help_heading("Settings, which are also keys of the file and variables")
        .args(SETTINGS.iter().filter_map(|setting| {
            let help = match setting.variable {
                Some(variable) => format!("{} [env: {variable}]", setting.help),
                None => setting.help.to_owned(),
            };
            let flag = Arg::new(setting.key).long(setting.flag()?).global(true);
            Some(flag.value_name("VALUE").help(help).hide_short_help(false))
        }))
}

fn read(matches: &ArgMatches) -> Invocation {
    let (name, given) = matches.subcommand().expect("clap insists on a command");
    let command =
        COMMANDS.iter().find(|(known, ..)| *known == name).expect("only ours are known").0;
    let flags = SETTINGS
        .iter()
        .filter(|setting| setting.has_flag)
        .filter_map(|setting| Some((setting.key, given.get_one::<String>(setting.key)?.clone())));
    let file = given.get_one::<PathBuf>("config").cloned();
    Invocation { command, sources: Sources::of_process(file, flags.collect()) }
}

#[cfg(test)]
mod tests {
    use super::{definition, read};

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_flag_reaches_its_setting_before_and_after_the_command() {
        for line in [["apprun", "--http-addr=x", "dev"], ["apprun", "dev", "--http-addr=x"]] {
            let invocation = read(&definition().try_get_matches_from(line).unwrap());
            assert_eq!(invocation.command, "dev");
            assert_eq!(invocation.sources.flags, [("http_addr", "x".to_owned())]);
        }
    }

    #[test]
    fn a_mistyped_flag_is_answered_with_the_nearest() {
        let line = ["apprun", "dev", "--htp-addr=x"];
        let message = definition().try_get_matches_from(line).unwrap_err().to_string();
        assert!(message.contains("--http-addr"), "{message}");
    }

    #[test]
    fn secrets_have_no_flag() {
        assert!(definition().try_get_matches_from(["apprun", "dev", "--jwt-secret=x"]).is_err());
    }
}
