//! What the demo happens on: a stack of its own in a directory that goes with it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use shared::config::{ArtifactLocation, Config, Registration};
use tokio_util::sync::CancellationToken;

use super::{client::Client, report::Report, walk};
use crate::{error::CommandError, stack::Stack};

/// Shows everything and cleans up, also when it is interrupted or something goes wrong. What stays
/// is the compiler's cache, which is the user's and not the demo's.
pub(in crate::commands) async fn run(
    mut config: Config,
    stop: CancellationToken,
) -> Result<(), CommandError> {
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
pub(in crate::commands) fn quieten(config: &mut Config) {
    if config.has_default_log() {
        config.log = "error".to_owned();
    }
}

/// Everything of the demo goes below one directory, whatever the configuration says, and its address
/// is one that is free.
fn confine(config: &mut Config, directory: &Path) {
    config.data_dir = directory.to_owned();
    config.database_url = None;
    config.http_addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.worker_http_addr = None;
    config.artifact_store = ArtifactLocation::Directory(directory.join("artifacts"));
    // It asks every few milliseconds how far a build is.
    config.rate_limits = None;
    config.registration = Some(Registration::Open);
}
