//! `apprun demo`: the main job of the product, from registering to a function that does not compile,
//! against the real HTTP API of a stack of its own in a temporary directory.

mod client;
mod examples;
mod report;
mod walk;

use std::net::{Ipv4Addr, SocketAddr};

use shared::config::{ArtifactLocation, Config, Registration};
use tokio_util::sync::CancellationToken;

pub(crate) use self::client::Unexpected;
use self::{client::Client, report::Report};
use crate::{error::CommandError, stack::Stack};

/// Shows everything and cleans up, also when it is interrupted or something goes wrong. What stays
/// is the compiler's cache, which is the user's and not the demo's.
pub(super) async fn run(mut config: Config, stop: CancellationToken) -> Result<(), CommandError> {
    let directory = tempfile::Builder::new()
        .prefix("apprun-demo-")
        .tempdir()
        .map_err(CommandError::TemporaryDirectory)?;
    confine(&mut config, directory.path());
    let mut report = Report::start();
    let stack = Stack::start(&config, &stop).await?;
    report.step("start", &format!("embedded stack on {}", stack.url()));
    let mut client = Client::new(&stack.url());
    let walked = tokio::select! {
        walked = walk::walk(&mut client, &mut report) => walked.map_err(CommandError::Demo),
        () = stop.cancelled() => Err(CommandError::Interrupted),
    };
    stack.stop().await;
    directory.close().map_err(CommandError::TemporaryDirectory)?;
    report.step("stop", "nothing is left behind");
    if walked.is_ok() {
        report.print_table();
    }
    walked
}

/// A line per request would drown the steps; a filter that somebody chose is left alone.
pub(super) fn quieten(config: &mut Config) {
    if config.has_default_log() {
        config.log = "error".to_owned();
    }
}

/// Everything of the demo goes below one directory, whatever the configuration says, and its address
/// is one that is free.
fn confine(config: &mut Config, directory: &std::path::Path) {
    config.data_dir = directory.to_owned();
    config.database_url = None;
    config.http_addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.worker_http_addr = None;
    config.artifact_store = ArtifactLocation::Directory(directory.join("artifacts"));
    // It asks every few milliseconds how far a build is.
    config.rate_limits = None;
    config.registration = Some(Registration::Open);
}
