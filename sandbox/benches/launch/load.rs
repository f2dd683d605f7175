//! What is not a latency: calls per second, the end of a fork bomb, the memory of an idle slot.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use sandbox::{Ended, Image, KillReason, Options, Sandbox};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    cost::processor_time,
    latency::plain,
    programs::call,
    report::{Report, Times, millis},
};

/// Callers at the same time.
const CALLERS: usize = 4;
const SPAN: Duration = Duration::from_secs(5);

/// Refill and removal included: every call needs its slot made and taken away.
pub(crate) async fn throughput(report: &mut Report, path: &Path) {
    let (spawns, spawn_cost) = plain_throughput(path).await;
    let options = Options { slots: CALLERS, primed: CALLERS, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let ours = [std::process::id(), sandbox.spawner_pid()];
    let (started, before) = (Instant::now(), processor_time(&ours));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (sandbox, program) = (sandbox.clone(), call(path));
        callers.spawn(async move {
            let mut calls = 0_u32;
            while started.elapsed() < SPAN {
                sandbox.run(program.clone(), &CancellationToken::new()).await.unwrap();
                calls += 1;
            }
            calls
        });
    }
    let calls: u32 = callers.join_all().await.into_iter().sum();
    let cost = (processor_time(&ours) - before) / calls;
    sandbox.stop().await;
    let per_second = f64::from(calls) / SPAN.as_secs_f64();
    report.row(
        "Rust, musl: plain spawns at once",
        format!("{spawns:.0} /s, processor {:.2} ms each", millis(spawn_cost)),
        "",
    );
    report.row(
        "Rust, musl: calls at once, refill included",
        format!(
            "{per_second:.0} /s ({:.2} of plain), processor {:.2} ms each",
            per_second / spawns,
            millis(cost)
        ),
        "900 /s or more on two cores",
    );
}

async fn plain_throughput(path: &Path) -> (f64, Duration) {
    let ours = [std::process::id()];
    let (started, before) = (Instant::now(), processor_time(&ours));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let path = path.to_owned();
        callers.spawn_blocking(move || {
            let mut spawns = 0_u32;
            while started.elapsed() < SPAN {
                plain(&path);
                spawns += 1;
            }
            spawns
        });
    }
    let spawns: u32 = callers.join_all().await.into_iter().sum();
    let cost = (processor_time(&ours) - before) / spawns;
    (f64::from(spawns) / SPAN.as_secs_f64(), cost)
}

pub(crate) async fn fork_bomb(report: &mut Report, path: &Path) {
    const DEADLINE: Duration = Duration::from_millis(200);
    let options = Options { primed: 0, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..20 {
        let mut program = call(path);
        program.limits.memory_bytes = 512 << 20;
        program.limits.wall_time = DEADLINE;
        let started = Instant::now();
        let outcome = sandbox.run(program, &CancellationToken::new()).await.unwrap();
        assert_eq!(outcome.ended, Ended::Killed(KillReason::Timeout));
        sandbox.settled().await;
        times.push(started.elapsed().saturating_sub(DEADLINE));
    }
    sandbox.stop().await;
    let times = Times::new(times);
    let [p50, worst] = [0.5, 1.0].map(|share| millis(times.quantile(share)));
    report.row(
        "fork bomb of 64, from deadline to removed",
        format!("p50 {p50:.0} ms, worst {worst:.0} ms"),
        "100 ms or less",
    );
}

/// By what the whole machine has left, several times: others use memory too.
pub(crate) async fn idle_memory(report: &mut Report) {
    const SLOTS: i64 = 200;
    const ROUNDS: usize = 7;
    let mut per_slot = Vec::new();
    for _ in 0..ROUNDS {
        let before = available_kib();
        let options = Options { slots: 1, primed: SLOTS as usize, ..Options::new(Image::empty()) };
        let sandbox = Sandbox::start(options).await.unwrap();
        sandbox.primed().await;
        per_slot.push((before - available_kib()) / SLOTS);
        sandbox.stop().await;
    }
    per_slot.sort();
    let measured = format!("{} KiB (of {SLOTS}, p50 of {ROUNDS} rounds)", per_slot[ROUNDS / 2]);
    report.row("idle primed slot", measured, "512 KiB or less");
}

fn available_kib() -> i64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
