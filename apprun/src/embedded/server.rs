//! Starts and stops the server.

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use shared::config::Secret;
use tokio::{sync::watch, time::sleep};

use super::{
    EmbeddedError,
    binaries::Binaries,
    cluster::{self, Cluster},
    leftover,
    user::ServerUser,
};

/// Recovery after a crash may take a while; a plain start takes a tenth of a second.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A running server. Dropping it, or the end of this process, stops the server too; [`Self::stop`]
/// also waits for that.
#[derive(Debug)]
pub(crate) struct EmbeddedPostgres {
    database_url: Secret,
    /// The supervising shell stops the server when this closes.
    pub(super) lifeline: ChildStdin,
    pub(super) exited: watch::Receiver<Option<ExitStatus>>,
}

impl EmbeddedPostgres {
    /// Starts the server of `data_dir/postgres`, making it first if needed, and returns once it
    /// accepts connections. The caller holds the lock on `data_dir`.
    pub(crate) async fn start(
        data_dir: &Path,
        postgres_bin: Option<&Path>,
    ) -> Result<Self, EmbeddedError> {
        let user = ServerUser::choose()?;
        let dir = data_dir.join("postgres");
        let wanted_major = cluster::version_of(&dir).and_then(|version| version.parse().ok());
        let binaries = Binaries::find(postgres_bin, wanted_major, &fetch_dir(data_dir)).await?;
        let log = data_dir.join("postgres.log");
        let preparing = {
            let (binaries, log) = (binaries.clone(), log.clone());
            move || {
                let cluster = Cluster::open(dir, &binaries, user)?;
                leftover::clean_up(&cluster.dir)?;
                let child = spawn(&cluster, &binaries, user, &log)?;
                Ok((cluster, child))
            }
        };
        let (cluster, child) = tokio::task::spawn_blocking(preparing)
            .await
            .map_err(|panic| EmbeddedError::Initialise(panic.to_string()))??;
        Self::supervise(&cluster, child).wait_until_ready(&cluster, log).await
    }

    /// Address of the one database, for this machine only.
    pub(crate) fn database_url(&self) -> &Secret {
        &self.database_url
    }

    /// Waits for the server to end by itself, which it should not.
    pub(crate) async fn ended(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        match exited.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    /// Stops the server and waits for its end: a second and a half at most, see `supervise.sh`.
    pub(crate) async fn stop(self) {
        let Self { lifeline, mut exited, .. } = self;
        drop(lifeline);
        let _ = exited.wait_for(Option::is_some).await;
    }

    fn supervise(cluster: &Cluster, mut child: Child) -> Self {
        let lifeline = child.stdin.take().expect("the supervisor was started with a pipe");
        let (sender, exited) = watch::channel(None);
        std::thread::spawn(move || sender.send(Some(child.wait().unwrap_or_default())));
        let socket_dir = cluster.dir.display().to_string().replace('/', "%2F");
        let database_url =
            Secret::new(format!("postgres://apprun:{}@{socket_dir}/apprun", cluster.password));
        Self { database_url, lifeline, exited }
    }

    async fn wait_until_ready(
        self,
        cluster: &Cluster,
        log: PathBuf,
    ) -> Result<Self, EmbeddedError> {
        let failed = |reason: String| EmbeddedError::Server { reason, log: log.clone() };
        let give_up_at = Instant::now() + START_LIMIT;
        while !is_ready(&cluster.dir) {
            if self.exited.borrow().is_some() {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(failed(cluster::last_complaint(&said)));
            }
            if Instant::now() > give_up_at {
                return Err(failed(format!("not ready after {} s", START_LIMIT.as_secs())));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(self)
    }
}

/// The eighth line of the pid file is the server's state; `pg_ctl` looks at it too.
fn is_ready(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join("postmaster.pid"))
        .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| state.trim() == "ready"))
}

/// Starts `supervise.sh` in a process group of its own, so that Ctrl-C on the terminal reaches
/// apprun alone and the server outlives whoever still talks to it.
fn spawn(
    cluster: &Cluster,
    binaries: &Binaries,
    user: ServerUser,
    log: &Path,
) -> Result<Child, EmbeddedError> {
    let log_file = File::create(log).map_err(EmbeddedError::file("create", log))?;
    let mut command = Command::new("sh");
    command
        .args(["-c", include_str!("supervise.sh"), "apprun-postgres"])
        .arg(&binaries.dir)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(cluster.handle()?)
        .stderr(log_file)
        .process_group(0);
    user.run(&mut command);
    command.spawn().map_err(|source| EmbeddedError::Start { program: "postgres", source })
}

/// A download must be readable for the server's user, whom root's own directories keep out.
fn fetch_dir(data_dir: &Path) -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        PathBuf::from("/var/cache/apprun")
    } else {
        data_dir.to_owned()
    }
}
