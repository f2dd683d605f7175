//! The temporary Postgres that the test processes of one machine share.
//!
//! Two lock files do the counting, because the kernel lets go of a lock however its holder dies:
//! every user holds `users` shared for as long as it lives, and `start` is held alone while a
//! server is being started. A small shell script, `server.sh`, owns the server: it stops it and
//! removes everything once nobody has held `users` for some seconds. Nothing here is durable.

use std::fs::{File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;
use nix::unistd::{Uid, User, geteuid};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Part of the directory's name: raise it when `server.sh` or the locks change their meaning, so
/// that two checkouts of different age do not share a server.
const PROTOCOL: u32 = 1;
/// initdb and a first start take under a second; a loaded machine gets much more.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A share in the running server, given back when the value (or the process) ends.
pub(crate) struct Server {
    dir: PathBuf,
    _users: File,
}

impl Server {
    /// Joins the running server or starts it.
    pub(crate) async fn join() -> Self {
        let (dir, users) = enter_directory();
        let server = Self { dir, _users: users };
        let _start = server.lock_start().await;
        if server.try_connect().await.is_err() {
            server.start();
            server.wait_until_ready().await;
        }
        server
    }

    /// `postgres://` address of one database of this server, over its unix socket.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket_dir = self.dir.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket_dir}/{database}")
    }

    /// A connection for creating and dropping databases.
    pub(crate) async fn connect_as_admin(&self) -> PgConnection {
        self.try_connect().await.expect("the test server accepts connections")
    }

    async fn try_connect(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url("postgres")).await
    }

    /// Waits on a thread of its own: the holder may be another future of this very thread.
    async fn lock_start(&self) -> File {
        let path = self.dir.join("start");
        let locked = tokio::task::spawn_blocking(move || {
            let start = open_lock(&path)?;
            start.lock()?;
            Ok::<_, std::io::Error>(start)
        });
        locked.await.expect("locking does not panic").expect("the start lock can be taken")
    }

    /// Starts `server.sh` in a process group of its own: neither Ctrl-C nor the test runner's way
    /// of ending a slow test may take the server from the other tests.
    fn start(&self) {
        let log = File::create(self.dir.join("log")).expect("the log can be created");
        let mut command = Command::new("sh");
        command
            .args(["-c", include_str!("server.sh"), "apprun-test-postgres"])
            .arg(postgres_bin_dir())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log can be shared"))
            .stderr(log)
            .process_group(0);
        if let Some(user) = unprivileged_user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let mut script = command.spawn().expect("sh can be started");
        // Outlives this process as a rule; if not, somebody has to take its exit status.
        std::thread::spawn(move || script.wait());
    }

    async fn wait_until_ready(&self) {
        let give_up_at = Instant::now() + START_LIMIT;
        while let Err(error) = self.try_connect().await {
            if Instant::now() > give_up_at {
                let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("the test Postgres did not start: {error}\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Creates the directory if needed and takes a share in `users`. The script may remove the
/// directory meanwhile, which shows in the lock file no longer being the one in the directory.
fn enter_directory() -> (PathBuf, File) {
    let dir = parent_directory().join(format!("apprun-test-postgres-{PROTOCOL}-{}", geteuid()));
    let path = dir.join("users");
    loop {
        if !dir.exists() {
            create_directory(&dir);
        }
        let users = match open_lock(&path) {
            Ok(users) => users,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => panic!("cannot open {}: {error}", path.display()),
        };
        users.lock_shared().expect("the users lock can be shared");
        let held = users.metadata().expect("an open file has metadata");
        if std::fs::metadata(&path).is_ok_and(|current| current.ino() == held.ino()) {
            return (dir, users);
        }
    }
}

/// Memory if there is plenty: cloning a database, some 300 small files, took 18 ms there and 230 ms
/// on disk. Containers often have 64 MiB of it, which a server and its clones would fill.
fn parent_directory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let is_plenty = statvfs(&memory)
        .is_ok_and(|free| free.blocks_available() * free.fragment_size() > (1 << 30));
    if is_plenty { memory } else { std::env::temp_dir() }
}

/// Made ready under another name first, so that nobody meets it with the wrong owner. Losing the
/// race against another process is as good as winning it.
fn create_directory(dir: &Path) {
    let draft = dir.with_extension(Uuid::new_v4().simple().to_string());
    std::fs::create_dir(&draft).expect("the temporary directory is writable");
    std::fs::set_permissions(&draft, Permissions::from_mode(0o700)).expect("it is ours");
    if let Some(user) = unprivileged_user() {
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        std::os::unix::fs::chown(&draft, Some(uid), Some(gid)).expect("root may give it away");
    }
    if std::fs::rename(&draft, dir).is_err() {
        std::fs::remove_dir(&draft).expect("it is ours and empty");
    }
}

/// Created by whoever comes first.
fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// Postgres refuses to run as root, so root runs it as `postgres`, or `nobody` without that user.
fn unprivileged_user() -> Option<User> {
    let user = |name| User::from_name(name).ok().flatten();
    (geteuid() == Uid::from_raw(0))
        .then(|| user("postgres").or_else(|| user("nobody")).expect("an unprivileged user"))
}

/// The directory with `initdb` and `postgres`: `APPRUN_POSTGRES_BIN`, else the newest installed.
fn postgres_bin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("APPRUN_POSTGRES_BIN") {
        return PathBuf::from(dir);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter(|entry| entry.path().join("bin/initdb").exists())
        .max_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
    newest.expect("PostgreSQL server binaries: run `make setup`").path().join("bin")
}
