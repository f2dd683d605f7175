//! The data directory: made once, checked at every start.
//!
//! It belongs to the server's user, who often may not enter the directories above it (`/root`, a
//! private home). So apprun opens it and hands it over as an open file, and the server reaches it
//! as `/proc/self/fd/7`, which asks nothing of the path.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::Write,
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{EmbeddedError, binaries::Binaries, user::ServerUser};

/// The longest path of a unix socket, without its closing NUL (`sun_path`, unix(7)).
const MAX_SOCKET_PATH_BYTES: usize = 107;
/// What Postgres calls its socket when its port is the default one.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// An initialised data directory.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Absolute.
    pub(super) dir: PathBuf,
    /// Of the one login, `apprun`, on the one database, `apprun`.
    pub(super) password: String,
}

/// The version that made the data directory at `dir`, if there is one.
pub(super) fn version_of(dir: &Path) -> Option<String> {
    std::fs::read_to_string(dir.join("PG_VERSION")).ok().map(|text| text.trim().to_owned())
}

impl Cluster {
    /// Opens the data directory at `dir`, or makes it. The password lies beside it.
    pub(super) fn open(
        dir: PathBuf,
        binaries: &Binaries,
        user: ServerUser,
    ) -> Result<Self, EmbeddedError> {
        check_socket_path(&dir)?;
        let password_file = dir.with_extension("password");
        if let Some(found) = version_of(&dir) {
            if found != binaries.major.to_string() {
                let offered = binaries.dir.clone();
                return Err(EmbeddedError::OtherVersion { data_dir: dir, found, offered });
            }
            let password = std::fs::read_to_string(&password_file)
                .map_err(EmbeddedError::file("read", &password_file))?;
            return Ok(Self { dir, password });
        }
        let password = hex::encode(rand::random::<[u8; 32]>());
        write_private(&password_file, &password)?;
        // Made under another name and renamed: a killed start must not leave half a directory.
        let draft = dir.with_extension("draft");
        remove_if_there(&draft)?;
        initialise(&draft, &password, binaries, user)?;
        std::fs::rename(&draft, &dir).map_err(EmbeddedError::file("create", &dir))?;
        Ok(Self { dir, password })
    }

    /// The directory, as a child's inherited file.
    pub(super) fn handle(&self) -> Result<Stdio, EmbeddedError> {
        let opened = File::open(&self.dir).map_err(EmbeddedError::file("open", &self.dir))?;
        Ok(Stdio::from(opened))
    }
}

fn check_socket_path(dir: &Path) -> Result<(), EmbeddedError> {
    let socket = dir.join(SOCKET_NAME);
    match socket.as_os_str().len().checked_sub(MAX_SOCKET_PATH_BYTES) {
        Some(excess_bytes) if excess_bytes > 0 => {
            Err(EmbeddedError::SocketPath { socket, excess_bytes })
        }
        _ => Ok(()),
    }
}

fn remove_if_there(dir: &Path) -> Result<(), EmbeddedError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::file("remove", dir)(error))
        }
        _ => Ok(()),
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), EmbeddedError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(EmbeddedError::file("write", path))
}

/// Runs `initialise.sh` in a new directory of the server's user. About a second.
fn initialise(
    dir: &Path,
    password: &str,
    binaries: &Binaries,
    user: ServerUser,
) -> Result<(), EmbeddedError> {
    let create = || {
        std::fs::create_dir(dir)?;
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let handle = File::open(dir)?;
        user.own(&handle)?;
        Ok(handle)
    };
    let handle = create().map_err(EmbeddedError::file("create", dir))?;
    let mut command = Command::new("sh");
    command
        .args(["-c", include_str!("initialise.sh"), "apprun-initdb"])
        .arg(&binaries.dir)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(handle)
        .stderr(Stdio::piped())
        .process_group(0);
    user.run(&mut command);
    let started = |source| EmbeddedError::Start { program: "initdb", source };
    let mut child = command.spawn().map_err(started)?;
    // A broken pipe means that it ended early; its output says why.
    let _ = child.stdin.take().map(|mut stdin| writeln!(stdin, "{password}"));
    let output = child.wait_with_output().map_err(started)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(EmbeddedError::Initialise(last_complaint(&said)))
}

/// The line of the output that says what went wrong.
pub(super) fn last_complaint(output: &str) -> String {
    let complaint =
        |line: &&str| ["FATAL", "PANIC", "error", "ERROR"].iter().any(|w| line.contains(w));
    let mut lines = output.lines().rev().filter(|line| !line.trim().is_empty());
    let last = lines.clone().next();
    lines.find(complaint).or(last).unwrap_or("it said nothing").trim().to_owned()
}
