//! `apprun completions`: a script that lets a shell complete commands and flags.

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;

use crate::{arguments::local, failure::Failure, output};

pub(super) fn definition() -> Command {
    local(
        "completions",
        "Print a script that completes commands in a shell",
        "bash: apprun completions bash > ~/.local/share/bash-completion/completions/apprun\n\
         zsh:  apprun completions zsh > a folder of $fpath, as _apprun\n\
         fish: apprun completions fish > ~/.config/fish/completions/apprun.fish",
    )
    .arg(
        Arg::new("shell")
            .value_name("SHELL")
            .required(true)
            .value_parser(value_parser!(Shell))
            .help("The shell"),
    )
}

pub(super) fn run(matches: &ArgMatches, mut program: Command) -> Result<(), Failure> {
    let shell = matches.get_one::<Shell>("shell").copied().expect("clap insists on it");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "apprun", &mut script);
    output::data(&String::from_utf8_lossy(&script))
}
