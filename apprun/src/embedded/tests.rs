//! Real servers in temporary directories: what is promised about starting, stopping and kills.

use std::{
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use shared::store::Db;
use tempfile::TempDir;

use super::{EmbeddedError, EmbeddedPostgres, user::ServerUser};

/// A private directory, as `.apprun` is: when root runs this, the server's user may not enter it.
fn data_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn start(data_dir: &Path) -> Result<EmbeddedPostgres, EmbeddedError> {
    EmbeddedPostgres::start(data_dir, None).await
}

async fn assert_serves(server: &EmbeddedPostgres) {
    let db = Db::connect(server.database_url().expose(), 1).await.unwrap();
    db.ping().await.unwrap();
    db.close().await;
}

fn server_pid(data_dir: &Path) -> i32 {
    let pid_file = std::fs::read_to_string(data_dir.join("postgres/postmaster.pid")).unwrap();
    pid_file.lines().next().unwrap().parse().unwrap()
}

fn parent_of(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Whether the process runs; one that ended and waits to be reaped has no working directory.
fn exists(pid: i32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok()
}

#[tokio::test]
async fn a_stopped_server_is_gone_and_starts_again_with_the_same_password() {
    let dir = data_dir();
    let first = start(dir.path()).await.unwrap();
    assert_serves(&first).await;
    let url = first.database_url().clone();
    let pid = server_pid(dir.path());

    first.stop().await;
    assert!(!exists(pid));

    let second = start(dir.path()).await.unwrap();
    assert_eq!(second.database_url(), &url);
    assert_serves(&second).await;
    second.stop().await;
}

#[tokio::test]
async fn the_data_directory_is_private() {
    let dir = data_dir();
    let server = start(dir.path()).await.unwrap();
    for (name, mode) in [("postgres", 0o700), ("postgres.password", 0o600)] {
        let found = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn only_the_password_opens_the_database() {
    let dir = data_dir();
    let server = start(dir.path()).await.unwrap();
    let url = server.database_url().expose();
    let socket = url.split_once('@').unwrap().1;
    for stranger in ["apprun:guess", "postgres:guess", "apprun"] {
        assert!(Db::connect(&format!("postgres://{stranger}@{socket}"), 1).await.is_err());
    }
    server.stop().await;
}

#[tokio::test]
async fn the_server_ends_when_its_supervisor_loses_apprun() {
    let dir = data_dir();
    let server = start(dir.path()).await.unwrap();
    let pid = server_pid(dir.path());
    let EmbeddedPostgres { lifeline, mut exited, .. } = server;

    drop(lifeline); // what the kernel does for a killed apprun

    exited.wait_for(Option::is_some).await.unwrap();
    assert!(!exists(pid));
}

#[tokio::test]
async fn a_server_that_outlived_everything_is_stopped_by_the_next_start() {
    let dir = data_dir();
    let server = start(dir.path()).await.unwrap();
    let orphan = server_pid(dir.path());
    let supervisor = parent_of(orphan);
    // The supervisor and its guard, stopped first so that neither acts on the other's death.
    let script = format!(
        "kill -STOP -- -{supervisor}; pgrep -g {supervisor} | grep -vx {orphan} | xargs kill -9; \
         kill -CONT {orphan}"
    );
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    server.ended().await;
    assert!(exists(orphan));

    let next = start(dir.path()).await.unwrap();

    assert_ne!(server_pid(dir.path()), orphan);
    assert!(!exists(orphan));
    assert_serves(&next).await;
    next.stop().await;
}

#[tokio::test]
async fn a_stale_pid_file_that_names_a_stranger_harms_nobody() {
    let dir = data_dir();
    start(dir.path()).await.unwrap().stop().await;
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let pid_file = dir.path().join("postgres/postmaster.pid");
    std::fs::write(&pid_file, format!("{}\n/proc/self/fd/7\n", stranger.id())).unwrap();

    let server = start(dir.path()).await.unwrap();

    assert_serves(&server).await;
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger still runs");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_server_somebody_else_started_is_named_and_left_alone() {
    let dir = data_dir();
    start(dir.path()).await.unwrap().stop().await;
    let data = dir.path().join("postgres");
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("sleep");
    command.arg("600").current_dir(&data).stdout(Stdio::null());
    ServerUser::choose().unwrap().run(&mut command);
    let mut theirs = command.spawn().unwrap();
    std::fs::write(data.join("postmaster.pid"), format!("{}\n", theirs.id())).unwrap();

    let refused = start(dir.path()).await.unwrap_err();

    assert!(matches!(refused, EmbeddedError::InUse { pid, .. } if pid == theirs.id() as i32));
    assert!(theirs.try_wait().unwrap().is_none());
    theirs.kill().unwrap();
    theirs.wait().unwrap();
}

#[tokio::test]
async fn a_data_directory_of_another_version_gives_one_clear_line() {
    let dir = data_dir();
    start(dir.path()).await.unwrap().stop().await;
    std::fs::write(dir.path().join("postgres/PG_VERSION"), "9\n").unwrap();

    let refused = start(dir.path()).await.unwrap_err().to_string();

    assert!(refused.contains("was made by PostgreSQL 9, which is not installed"), "{refused}");
    assert!(!refused.contains('\n'));
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
    let dir = data_dir();
    let deep = dir.path().join("x".repeat(100));
    std::fs::DirBuilder::new().mode(0o700).create(&deep).unwrap();

    let refused = start(&deep).await.unwrap_err().to_string();

    assert!(refused.contains("choose a shorter data directory"), "{refused}");
    assert!(!deep.join("postgres").exists());
}

#[tokio::test]
async fn a_server_that_fails_says_why() {
    let dir = data_dir();
    start(dir.path()).await.unwrap().stop().await;
    let settings = dir.path().join("postgres/postgresql.conf");
    let broken = std::fs::read_to_string(&settings).unwrap() + "no_such_setting = 1\n";
    std::fs::write(&settings, broken).unwrap();

    let failed = start(dir.path()).await.unwrap_err().to_string();

    assert!(failed.contains("no_such_setting") || failed.contains("configuration"), "{failed}");
}

#[tokio::test]
async fn a_server_killed_at_work_comes_back_by_itself_at_the_next_start() {
    let dir = data_dir();
    let server = start(dir.path()).await.unwrap();
    kill(Pid::from_raw(server_pid(dir.path())), Signal::SIGKILL).unwrap();
    server.ended().await;

    let next = start(dir.path()).await.unwrap();

    assert_serves(&next).await;
    next.stop().await;
}
