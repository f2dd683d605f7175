//! `apprun toolchains`: what functions can be built with on this machine. Asks no database.

use compiler::{InstalledToolchain, Toolchains};
use serde_json::json;
use shared::config::Config;

use crate::{error::CommandError, wiring};

/// Prints what was found, where, which runtimes it serves, and what cannot be used and why.
pub(super) async fn run(config: Config, as_json: bool) -> Result<(), CommandError> {
    let found = Toolchains::discover(&wiring::places(&config.compiler)).await;
    if as_json {
        let report = json!({ "toolchains": found.installed(), "unusable": found.unusable() });
        println!("{report:#}");
        return Ok(());
    }
    for InstalledToolchain { version, root, serves, .. } in found.installed() {
        println!("{version}\n    serves {serves}\n    at {root}");
    }
    if found.installed().is_empty() {
        println!("no toolchain: functions cannot be built here");
    }
    for reason in found.unusable() {
        println!("cannot be used: {reason}");
    }
    Ok(())
}
