//! How runs begin and end, and what their streams carry.

use std::{fs::File, io::Write, sync::Arc, time::Duration};

use sandbox::{Ended, Executable, KillReason, RunError};
use tokio_util::sync::CancellationToken;

use crate::common::{
    assert_nothing_left, assert_results, attack, limits, processes_of, run, run_alone, start, text,
};

#[tokio::test]
async fn an_honest_program_can_do_its_work() {
    let mut program = attack("work");
    program.limits.pids = 32;

    assert_eq!(text(run_alone(program).await), "6997000 24\n");
}

#[tokio::test]
async fn the_program_is_the_second_process() {
    assert_eq!(text(run_alone(attack("pid")).await), "2\n");
}

#[tokio::test]
async fn every_exit_status_arrives() {
    let sandbox = start().await;
    for status in 0..=255 {
        let outcome = run(&sandbox, attack(&format!("exit {status}"))).await;
        assert_eq!(outcome.ended, Ended::Exited(status));
        assert_eq!(outcome.usage.exit_status, Some(status));
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn every_deadly_signal_arrives() {
    let sandbox = start().await;
    let deadly = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 26, 27, 29, 30, 34, 64];
    for signal in deadly {
        let outcome = run(&sandbox, attack(&format!("die-of {signal}"))).await;
        assert_eq!(outcome.ended, Ended::Signalled(signal));
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn an_abort_is_an_abort_and_a_thread_can_end_it_all() {
    let sandbox = start().await;

    assert_eq!(run(&sandbox, attack("abort")).await.ended, Ended::Signalled(libc::SIGABRT));
    assert_eq!(run(&sandbox, attack("exit-in-thread")).await.ended, Ended::Exited(7));

    sandbox.stop().await;
}

#[tokio::test]
async fn daemons_do_not_outlive_the_main_process() {
    let outcome = run_alone(attack("daemons 12")).await;

    assert_eq!(text(outcome), "left\n");
}

#[tokio::test]
async fn a_daemon_that_holds_the_output_delays_nothing() {
    let outcome = run_alone(attack("daemon-holds-output")).await;

    assert!(outcome.usage.wall_time < Duration::from_secs(3));
    assert_eq!(text(outcome), "before\n");
}

#[tokio::test]
async fn closing_the_streams_is_not_the_end() {
    assert_eq!(run_alone(attack("close-streams")).await.ended, Ended::Exited(5));
}

#[tokio::test]
async fn a_flood_of_output_ends_the_run() {
    let outcome = run_alone(attack("flood-stdout")).await;

    assert_eq!(outcome.ended, Ended::Killed(KillReason::OutputLimit));
    assert_eq!(outcome.stdout.len(), limits().stdout_bytes);
}

#[tokio::test]
async fn the_output_limit_is_exact() {
    for (count, ended) in [(4096, Ended::Exited(0)), (4097, Ended::Killed(KillReason::OutputLimit))]
    {
        let mut program = attack(&format!("exactly {count}"));
        program.limits.stdout_bytes = 4096;

        let outcome = run_alone(program).await;

        assert_eq!(outcome.ended, ended);
        assert_eq!(outcome.stdout.len(), 4096);
    }
}

#[tokio::test]
async fn a_flood_of_log_is_cut_and_the_run_goes_on() {
    let outcome = run_alone(attack("flood-stderr")).await;

    assert!(outcome.stderr_truncated);
    assert_eq!(outcome.stderr.len(), limits().stderr_bytes);
    assert_eq!(outcome.ended, Ended::Exited(0));
    assert_eq!(outcome.stdout, b"done\n");
    assert!(run_alone(attack("one-long-line")).await.stderr_truncated);
}

#[tokio::test]
async fn input_may_be_large_and_ignored_and_cannot_be_changed() {
    let mut program = attack("ignore-stdin");
    program.stdin = vec![b'x'; 6 << 20];
    assert_eq!(text(run_alone(program).await), "ignored\n");

    let mut program = attack("echo");
    program.stdin = vec![b'x'; 900_000];
    assert_eq!(run_alone(program).await.stdout.len(), 900_000);

    let mut program = attack("write-stdin");
    program.stdin = b"content".to_vec();
    assert_results(run_alone(program).await, "EPERM", &[]);
}

#[tokio::test]
async fn what_is_not_a_program_is_not_executed() {
    let sandbox = start().await;
    let truncated = &std::fs::read("/proc/self/exe").unwrap()[..100];
    let wrong_machine = [&b"\x7fELF\x01\x01\x01\0"[..], &[0; 100]].concat();
    for content in [&b""[..], b"#!/bin/sh\n", b"text", truncated, &wrong_machine] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
        file.as_file().set_permissions(mode).unwrap();
        let path = file.into_temp_path();
        let mut program = attack("echo");
        program.executable = Executable::File(Arc::new(File::open(&path).unwrap().into()));

        let error = sandbox.run(program, &CancellationToken::new()).await.unwrap_err();

        assert!(matches!(error, RunError::NotExecutable(_)), "{error:?}");
    }
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_replaced_executable_changes_nothing() {
    let sandbox = start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program");
    std::fs::copy("/proc/self/fd/".to_owned() + &fd_number(), &path).unwrap();
    let mut program = attack("echo");
    program.executable = Executable::File(Arc::new(File::open(&path).unwrap().into()));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "something else").unwrap();

    assert_eq!(run(&sandbox, program).await.ended, Ended::Exited(0));

    sandbox.stop().await;
}

/// A descriptor of the hostile program that stays open.
fn fd_number() -> String {
    use std::os::fd::AsRawFd;
    let file = crate::common::hostile();
    let number = file.as_raw_fd().to_string();
    std::mem::forget(file);
    number
}

#[tokio::test]
async fn cancelling_ends_a_run_at_any_time() {
    let sandbox = start().await;
    let cancel = CancellationToken::new();
    let running = {
        let (sandbox, cancel) = (sandbox.clone(), cancel.clone());
        tokio::spawn(async move { sandbox.run(attack("sleep"), &cancel).await })
    };
    until(|| processes_of(sandbox.slot_uid(0)).iter().any(|name| name.starts_with("hostile")))
        .await;
    cancel.cancel();

    let outcome = running.await.unwrap().unwrap();
    assert_eq!(outcome.ended, Ended::Killed(KillReason::Cancelled));
    let outcome = sandbox.run(attack("echo"), &cancel).await.unwrap();
    assert_eq!(outcome.ended, Ended::Killed(KillReason::Cancelled));

    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_run() {
    let sandbox = start().await;
    let running = {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { run(&sandbox, attack("sleep")).await })
    };
    until(|| processes_of(sandbox.slot_uid(0)).iter().any(|name| name.starts_with("hostile")))
        .await;

    running.abort();

    assert!(running.await.unwrap_err().is_cancelled());
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

/// Looks again and again; the test's own time limit is the runner's.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn limits_without_end_are_no_overflow() {
    let mut program = attack("exit 0");
    program.limits.wall_time = Duration::MAX;
    program.limits.cpu_time = Duration::MAX;
    program.limits.cpu_millicores = 1;
    program.limits.pids = u32::MAX;

    assert_eq!(run_alone(program).await.ended, Ended::Exited(0));
}
