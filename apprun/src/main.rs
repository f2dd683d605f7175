//! The one binary: parses the command line, nothing more.

mod command_line;
mod commands;
mod data_dir;
mod embedded;
mod error;
mod first_account;
mod shutdown;
mod stack;
mod wiring;
mod worker_http;

use std::process::ExitCode;

use command_line::Invocation;
use error::CommandError;

/// Gives memory back. A login needs 19 MiB for a moment, and the system's allocator keeps that much
/// for every thread that ever hashed a password.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a shell reports for a program that Ctrl-C ended.
const EXIT_INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // First of all: the sandbox starts this binary again as its spawner, which must stay small.
    sandbox::become_spawner_if_asked();
    match run(command_line::parse()) {
        Ok(code) => code,
        Err(CommandError::Interrupted) => ExitCode::from(EXIT_INTERRUPTED),
        Err(CommandError::Logged) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("apprun: {}", error.one_line());
            ExitCode::FAILURE
        }
    }
}

fn run(invocation: Invocation) -> Result<ExitCode, CommandError> {
    let runtime = || tokio::runtime::Runtime::new().map_err(CommandError::Runtime);
    match invocation {
        Invocation::Server { command, sources, extras } => {
            // Before there are threads.
            let launcher = commands::launcher(command)?;
            commands::do_without_huge_pages(command);
            let running = commands::run(command, sources, extras, launcher);
            runtime()?.block_on(running).map(|()| ExitCode::SUCCESS)
        }
        Invocation::Client { command, arguments } => {
            let running = client::run(&command, &arguments, command_line::definition());
            Ok(runtime()?.block_on(running))
        }
    }
}
