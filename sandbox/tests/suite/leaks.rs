//! Thousands of calls leave descriptors, threads, processes and groups as they were.

use std::{fs, time::Duration};

use sandbox::{Ended, Image, Options, Sandbox};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::common::{
    assert_nothing_left, attack, groups_of, is_alone, run, start_primed, useless_spawner,
};

/// `make soak-sandbox` asks for more.
fn calls() -> usize {
    std::env::var("APPRUN_SOAK_CALLS").map_or(2000, |calls| calls.parse().unwrap())
}

#[derive(Debug, PartialEq)]
struct Holdings {
    worker_descriptors: usize,
    worker_threads: usize,
    spawner_descriptors: usize,
    spawner_threads: usize,
    children_of_spawner: usize,
}

impl Holdings {
    fn of(sandbox: &Sandbox) -> Holdings {
        let spawner = sandbox.spawner_pid();
        let count = |path: String| fs::read_dir(path).unwrap().count();
        let children =
            fs::read_to_string(format!("/proc/{spawner}/task/{spawner}/children")).unwrap();
        Holdings {
            worker_descriptors: count("/proc/self/fd".into()),
            worker_threads: count("/proc/self/task".into()),
            spawner_descriptors: count(format!("/proc/{spawner}/fd")),
            spawner_threads: count(format!("/proc/{spawner}/task")),
            children_of_spawner: children.split_whitespace().count(),
        }
    }
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn thousands_of_calls_leave_everything_as_it_was() {
    if !is_alone("leaks::thousands_of_calls_leave_everything_as_it_was") {
        return;
    }
    let sandbox = start_primed(4, 2).await;
    mixed_calls(&sandbox, 100).await;
    rest(&sandbox).await;
    let before = Holdings::of(&sandbox);
    let processes = [("worker", std::process::id()), ("spawner", sandbox.spawner_pid())];
    let memory = processes.map(|(_, pid)| resident_kib(pid));

    mixed_calls(&sandbox, calls()).await;

    rest(&sandbox).await;
    assert_eq!(Holdings::of(&sandbox), before);
    for ((name, pid), before) in processes.into_iter().zip(memory) {
        let now = resident_kib(pid);
        println!("{name}: {before} KiB, after {} calls {now} KiB", calls());
        assert!(now.saturating_sub(before) < 512, "the {name} grew from {before} to {now} KiB");
    }
    sandbox.stop().await;
}

async fn rest(sandbox: &Sandbox) {
    sandbox.settled().await;
    sandbox.primed().await;
}

/// Four calls at a time: they leave processes behind, fail, or are killed.
async fn mixed_calls(sandbox: &Sandbox, count: usize) {
    const KINDS: [&str; 4] = ["exit 0", "daemons 2", "violate", "sleep"];
    for _ in 0..count / KINDS.len() {
        let mut calls = JoinSet::new();
        for name in KINDS {
            let sandbox = sandbox.clone();
            let mut program = attack(name);
            program.limits.wall_time = match name {
                "sleep" => Duration::from_millis(3),
                _ => Duration::from_secs(20),
            };
            calls.spawn(async move {
                sandbox.run(program, &CancellationToken::new()).await.unwrap();
            });
        }
        while let Some(call) = calls.join_next().await {
            call.unwrap();
        }
    }
}

#[tokio::test]
async fn more_runs_than_slots_wait_their_turn() {
    let sandbox = Sandbox::start(Options { slots: 2, primed: 0, ..Options::new(Image::empty()) })
        .await
        .unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let sandbox = sandbox.clone();
        calls.spawn(async move { run(&sandbox, attack("exit 0")).await.ended });
    }
    let mut most_groups = 0;
    let own = groups_of(sandbox.slot_uid(0));
    while let Some(ended) = calls.join_next().await {
        assert_eq!(ended.unwrap(), Ended::Exited(0));
        let slots = fs::read_dir(&own[0].path).unwrap().flatten();
        most_groups = most_groups.max(slots.filter(|slot| slot.path().is_dir()).count());
    }
    assert!(most_groups <= 2, "{most_groups}");
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn sandboxes_that_were_stopped_dropped_or_refused_leave_nothing() {
    if !is_alone("leaks::sandboxes_that_were_stopped_dropped_or_refused_leave_nothing") {
        return;
    }
    let own = || {
        let children = fs::read_to_string("/proc/self/task/".to_owned() + &thread() + "/children");
        (fs::read_dir("/proc/self/fd").unwrap().count(), children.unwrap())
    };
    let cycle = async || {
        let options = Options { primed: 2, ..Options::new(Image::empty()) };
        Sandbox::start(options.clone()).await.unwrap().stop().await;
        let refused = Options { conditions: useless_spawner(), ..options.clone() };
        assert!(Sandbox::start(refused).await.is_err());
        drop(Sandbox::start(options).await.unwrap());
    };
    let before = own();

    for _ in 0..5 {
        cycle().await;
    }

    // A dropped sandbox tidies up in the background.
    while own() != before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn thread() -> String {
    let link = fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().to_owned()
}
