//! Why a command ended early, as one line for the person who typed it.

use std::{error::Error, net::SocketAddr};

use shared::{config::ConfigError, domain::TenantId};

use crate::{commands::Unexpected, data_dir::DataDirError, embedded::EmbeddedError};

/// What a command can fail with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{key} is needed: set {variable}, or {key} in apprun.yaml")]
    Missing { key: &'static str, variable: &'static str },
    #[error("log = {filter:?} is not a filter: write info, or info,worker=debug")]
    LogFilter { filter: String },
    #[error(transparent)]
    Spans(#[from] shared::telemetry::SpansError),
    #[error(
        "allow_degraded: {name:?} is no layer of isolation; they are {known}, and each is named"
    )]
    UnknownLayer { name: String, known: String },
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("cannot listen on {address}; stop what listens there or choose another http_addr")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] shared::store::StoreError),
    #[error(transparent)]
    Artifacts(#[from] shared::artifact::ArtifactError),
    #[error(transparent)]
    Worker(#[from] worker::StartError),
    #[error("there is no tenant {tenant}")]
    NoSuchTenant { tenant: TenantId },
    #[error("cannot receive signals")]
    Signals(#[source] std::io::Error),
    #[error("the PostgreSQL of apprun ended by itself (see {}/postgres.log)", .0.display())]
    PostgresEnded(std::path::PathBuf),
    #[error("cannot start the runtime")]
    Runtime(#[source] std::io::Error),
    #[error("cannot hand the rights of this process to a warden")]
    Warden(#[source] std::io::Error),
    #[error("not ready")]
    NotReady,
    #[error("nothing answers at {}", .addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" or "))]
    NothingListens { addresses: Vec<SocketAddr> },
    #[error("told to stop")]
    Interrupted,
    #[error("the log says why")]
    Logged,
    #[error("cannot use a temporary directory")]
    TemporaryDirectory(#[source] std::io::Error),
    #[error("the demo did not go as it should: {0}")]
    Demo(Unexpected),
}

impl CommandError {
    /// The error and what caused it, joined. A cause whose text is already part of the message (as
    /// transparent errors are) is not repeated.
    pub(crate) fn one_line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            cause = error.source();
        }
        line
    }
}
