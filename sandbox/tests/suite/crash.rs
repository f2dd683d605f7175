//! Whatever is killed, nothing stays behind and later runs go on.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use sandbox::{Ended, RunError, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::common::{Group, assert_nothing_left, attack, groups_of, processes_of, run, start};

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

fn is_running(sandbox: &Sandbox) -> bool {
    processes_of(sandbox.slot_uid(0)).iter().any(|name| name.starts_with("hostile"))
}

#[tokio::test]
async fn a_killed_spawner_loses_its_runs_and_is_replaced() {
    let sandbox = start().await;
    let running = {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { sandbox.run(attack("sleep"), &CancellationToken::new()).await })
    };
    until(|| is_running(&sandbox)).await;
    let old = sandbox.spawner_pid();

    kill(old);

    assert!(matches!(running.await.unwrap(), Err(RunError::Lost)));
    assert_eq!(run(&sandbox, attack("exit 4")).await.ended, Ended::Exited(4));
    assert_ne!(sandbox.spawner_pid(), old);
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_spawner_that_hangs_is_replaced() {
    let sandbox = start().await;
    let old = sandbox.spawner_pid();
    kill_process(Pid::from_raw(old as i32).unwrap(), Signal::STOP).unwrap();

    // Waits for the old one until patience ends, then for the new one.
    let outcome = run(&sandbox, attack("exit 4")).await;

    assert_eq!(outcome.ended, Ended::Exited(4));
    assert_ne!(sandbox.spawner_pid(), old);
    assert!(!Path::new(&format!("/proc/{old}")).exists());
    sandbox.stop().await;
}

#[tokio::test]
async fn a_killed_init_is_a_lost_run() {
    let sandbox = start().await;
    let running = {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { sandbox.run(attack("sleep"), &CancellationToken::new()).await })
    };
    until(|| is_running(&sandbox)).await;

    for child in children_of(sandbox.spawner_pid()) {
        kill(child);
    }

    assert!(matches!(running.await.unwrap(), Err(RunError::Lost)));
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

/// Direct children of the spawner are the inits of its slots.
fn children_of(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

/// Another process that starts a sandbox, runs a sleeper in it, and is then killed: this test
/// binary, in a test that only does something when asked to.
#[tokio::test]
async fn a_killed_worker_leaves_nothing_behind() {
    if std::env::var_os("APPRUN_TEST_VICTIM").is_some() {
        return be_the_victim().await;
    }
    let mut victim = start_victim();
    let first_uid = told_uid(&mut victim);
    until(|| processes_of(first_uid).iter().any(|name| name.starts_with("hostile"))).await;
    let groups = groups_of(first_uid);
    assert!(!groups.is_empty());

    victim.kill().unwrap();
    victim.wait().unwrap();

    // An empty group is a group without processes: no other can be removed.
    until(|| groups.iter().all(Group::is_gone)).await;
}

async fn be_the_victim() {
    let sandbox = start().await;
    println!("first uid {}", sandbox.slot_uid(0));
    run(&sandbox, attack("daemons 3")).await;
    let mut sleeper = attack("sleep");
    sleeper.limits.wall_time = Duration::from_secs(60);
    run(&sandbox, sleeper).await;
}

fn start_victim() -> Child {
    Command::new("/proc/self/exe")
        .args(["crash::a_killed_worker_leaves_nothing_behind", "--exact", "--nocapture"])
        .env("APPRUN_TEST_VICTIM", "1")
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn told_uid(victim: &mut Child) -> u32 {
    let lines = std::io::BufRead::lines(std::io::BufReader::new(victim.stdout.take().unwrap()));
    let told = |line: String| line.rsplit_once("first uid ").and_then(|(_, uid)| uid.parse().ok());
    lines.map_while(Result::ok).find_map(told).unwrap()
}

#[tokio::test]
async fn leftovers_of_a_dead_instance_are_swept_by_the_next_start() {
    let sandbox = start().await;
    let first_uid = sandbox.slot_uid(0);
    let groups = groups_of(first_uid);
    let running = {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { sandbox.run(attack("sleep"), &CancellationToken::new()).await })
    };
    until(|| is_running(&sandbox)).await;
    // The spawner dies before it can tidy up; its replacement is the next start.
    let marks: Vec<_> = groups.iter().map(|group| group.path.join("leftover")).collect();
    marks.iter().for_each(|mark| std::fs::create_dir(mark).unwrap());
    let old = sandbox.spawner_pid();

    kill(old);

    until(|| sandbox.spawner_pid() != old).await;
    assert!(running.await.unwrap().is_err());
    // Ours sweeps it, or whoever else starts at this moment and is first.
    until(|| groups.iter().all(Group::is_gone)).await;
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn stopping_leaves_no_process_and_no_group() {
    let sandbox = start().await;
    let (first_uid, spawner) = (sandbox.slot_uid(0), sandbox.spawner_pid());
    let groups = groups_of(first_uid);
    run(&sandbox, attack("daemons 3")).await;

    sandbox.stop().await;

    assert!(!Path::new(&format!("/proc/{spawner}")).exists());
    assert!(groups.iter().all(Group::is_gone));
}
