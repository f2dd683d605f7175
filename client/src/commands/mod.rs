//! One file per command. Each declares itself to the command line and carries itself out.

mod completions;
mod dead_letters;
mod deploy;
mod diagnostics;
mod executions;
mod functions;
mod init;
mod invitations;
mod invoke;
mod login;
mod logout;
mod logs;
mod members;
mod project;
mod rollback;
mod run;
mod secrets;
mod tenants;
mod tokens;
mod whoami;

pub use run::{definitions, run};
