//! What isolation costs: a plain spawn of the same binary, in the same run, is the measure.
//!
//! Prints criterion's table and, below it, the numbers that are not latencies: calls per second,
//! time to kill a fork bomb, memory of an idle slot.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::Criterion;
use sandbox::{Ended, Executable, Image, KillReason, Limits, Options, Program, Sandbox};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const INPUT: &[u8] = b"{\"name\":\"world\"}";

fn main() {
    let runtime = Runtime::new().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let musl = compile_rust(directory.path());
    let mut criterion = Criterion::default().configure_from_args().sample_size(60);
    let mut binaries = vec![("musl-rust", musl.clone())];
    binaries.extend(compile_go(directory.path()).map(|path| ("go", path)));
    for (name, path) in &binaries {
        latencies(&mut criterion, &runtime, name, path);
    }
    criterion.final_summary();
    runtime.block_on(throughput(&musl));
    runtime.block_on(fork_bomb(&musl));
    runtime.block_on(idle_memory());
}

fn latencies(criterion: &mut Criterion, runtime: &Runtime, name: &str, path: &Path) {
    let mut group = criterion.benchmark_group(name);
    group.bench_function("plain spawn", |bencher| bencher.iter(|| plain_spawn(path)));
    for (label, primed) in [("sandbox primed", 4), ("sandbox cold", 0)] {
        let options = Options { primed, ..Options::new(Image::empty()) };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let program = program(path, &["echo"]);
        group.bench_function(label, |bencher| {
            bencher.iter_custom(|count| {
                // On a worker thread of the runtime, as in the product: `block_on`'s own thread
                // would be woken by another thread at each event.
                let calls = runtime.spawn(timed(sandbox.clone(), program.clone(), count));
                runtime.block_on(calls).unwrap()
            });
        });
        runtime.block_on(sandbox.stop());
    }
    group.finish();
}

/// Only the calls are timed: refill and removal are off the path of a call at light load.
async fn timed(sandbox: Sandbox, program: Program, count: u64) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..count {
        sandbox.primed().await;
        sandbox.settled().await;
        let program = program.clone();
        let started = Instant::now();
        let outcome = sandbox.run(program, &CancellationToken::new()).await.unwrap();
        total += started.elapsed();
        assert_eq!(outcome.ended, Ended::Exited(0));
    }
    total
}

fn plain_spawn(path: &Path) {
    let mut child = Command::new(path)
        .arg("echo")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(INPUT).unwrap();
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert!(child.wait().unwrap().success());
}

async fn throughput(path: &Path) {
    const TASKS: usize = 4;
    const SPAN: Duration = Duration::from_secs(5);
    let options = Options { slots: TASKS, primed: TASKS, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let started = Instant::now();
    let caller = |sandbox: Sandbox, program: Program| async move {
        let mut calls = 0_u64;
        while started.elapsed() < SPAN {
            sandbox.run(program.clone(), &CancellationToken::new()).await.unwrap();
            calls += 1;
        }
        calls
    };
    let program = program(path, &["echo"]);
    let tasks: Vec<_> =
        (0..TASKS).map(|_| tokio::spawn(caller(sandbox.clone(), program.clone()))).collect();
    let mut calls = 0;
    for task in tasks {
        calls += task.await.unwrap();
    }
    println!(
        "throughput: {:.0} calls/s, refill and removal included",
        calls as f64 / SPAN.as_secs_f64()
    );
    sandbox.stop().await;
}

async fn fork_bomb(path: &Path) {
    let sandbox =
        Sandbox::start(Options { primed: 0, ..Options::new(Image::empty()) }).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..20 {
        let mut program = program(path, &["fork-bomb"]);
        program.limits.pids = 64;
        program.limits.memory_bytes = 512 << 20;
        program.limits.wall_time = Duration::from_millis(200);
        let started = Instant::now();
        let outcome = sandbox.run(program, &CancellationToken::new()).await.unwrap();
        assert_eq!(outcome.ended, Ended::Killed(KillReason::Timeout));
        sandbox.settled().await;
        times.push(started.elapsed().saturating_sub(Duration::from_millis(200)));
    }
    times.sort();
    println!(
        "fork bomb of 64: dead and removed {:?} after the deadline (median), {:?} (worst)",
        times[10], times[19]
    );
    sandbox.stop().await;
}

async fn idle_memory() {
    const SLOTS: usize = 200;
    let before = available_kib();
    let options = Options { slots: 1, primed: SLOTS, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    sandbox.primed().await;
    let used = before.saturating_sub(available_kib());
    println!("idle primed slot: {} KiB (of {SLOTS}, whole machine)", used / SLOTS as u64);
    sandbox.stop().await;
}

fn available_kib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn program(path: &Path, args: &[&str]) -> Program {
    Program {
        executable: Executable::File(Arc::new(File::open(path).unwrap().into())),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: Vec::new(),
        stdin: INPUT.to_vec(),
        files: Vec::new(),
        collect: None,
        limits: Limits {
            wall_time: Duration::from_secs(10),
            cpu_time: Duration::from_secs(10),
            cpu_millicores: 2000,
            memory_bytes: 128 << 20,
            pids: 32,
            stdout_bytes: 1 << 20,
            stderr_bytes: 64 << 10,
            open_files: 256,
            file_bytes: 8 << 20,
            disk_bytes: 16 << 20,
            disk_inodes: 256,
        },
    }
}

fn compile_rust(directory: &Path) -> PathBuf {
    let output = directory.join("hostile");
    let status = Command::new("rustc")
        .args(["--edition=2024", "--target=x86_64-unknown-linux-musl", "--crate-name=hostile"])
        .args(["-Copt-level=2", "-Cpanic=abort", "-Cstrip=symbols", "-o"])
        .args([&output, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/main.rs")])
        .status();
    assert!(status.unwrap().success(), "rustc failed; is the musl target installed?");
    output
}

/// None, and said so, where there is no Go.
fn compile_go(directory: &Path) -> Option<PathBuf> {
    let root = std::env::var_os("APPRUN_GO_ROOT").map(PathBuf::from);
    let go = root.map_or_else(|| PathBuf::from("go"), |root| root.join("bin/go"));
    let source = directory.join("main.go");
    fs::write(&source, GO_ECHO).unwrap();
    let output = directory.join("hello-go");
    let status = Command::new(go)
        .args(["build", "-o"])
        .args([&output, &source])
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", directory.join("cache"))
        .status();
    match status {
        Ok(status) if status.success() => Some(output),
        other => {
            println!("no Go binary is measured: {other:?}");
            None
        }
    }
}

const GO_ECHO: &str = r#"package main

import ("io"; "os")

func main() { io.Copy(os.Stdout, os.Stdin) }
"#;
