//! Runs a command with `DATABASE_URL` naming a fresh, migrated database, and ends as it ends.
//! For what needs a database while it builds: `with-database cargo check -p shared`.

use std::process::{Command, ExitCode};

use test_support::TestDatabase;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-database <command> [argument]…");
        return ExitCode::FAILURE;
    };
    let database = TestDatabase::create().await;
    let status = Command::new(&program).args(words).env("DATABASE_URL", database.url()).status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}
