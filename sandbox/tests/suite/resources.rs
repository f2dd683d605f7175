//! Attacks on what every process shares: processes, memory, processor, disk, descriptors.

use std::time::Duration;

use sandbox::{Ended, KillReason, Limits, Outcome, Program};

use crate::common::{assert_results, attack, limits, results, run, run_alone, start, text};

fn limited(name: &str, change: impl FnOnce(&mut Limits)) -> Program {
    let mut program = attack(name);
    change(&mut program.limits);
    program
}

fn assert_killed(outcome: &Outcome, reason: KillReason) {
    assert_eq!(outcome.ended, Ended::Killed(reason), "{:?}", outcome.usage);
}

#[tokio::test]
async fn a_fork_bomb_ends_at_the_deadline_or_for_memory() {
    for name in ["fork-bomb", "stubborn-fork-bomb"] {
        let program = limited(name, |limits| {
            limits.wall_time = Duration::from_millis(500);
            limits.pids = 64;
        });

        let outcome = run_alone(program).await;

        // Forks charge kernel memory, so either limit may come first.
        let expected = [KillReason::Timeout, KillReason::OutOfMemory].map(Ended::Killed);
        assert!(expected.contains(&outcome.ended), "{name}: {:?}", outcome.ended);
    }
}

#[tokio::test]
async fn a_thread_bomb_fails_for_its_pids() {
    let outcome = run_alone(attack("thread-bomb")).await;

    assert_killed(&outcome, KillReason::PidsLimit);
    assert_eq!(outcome.usage.exit_status, Some(3));
    // The main thread is one of the sixteen.
    assert_eq!(outcome.stdout, b"15\n");
}

#[tokio::test]
async fn memory_ends_at_the_limit() {
    let outcome = run_alone(attack("eat")).await;

    assert_killed(&outcome, KillReason::OutOfMemory);
    let limit = limits().memory_bytes;
    let peak = outcome.usage.peak_memory_bytes;
    assert!((limit * 9 / 10..=limit).contains(&peak), "{peak}");
}

#[tokio::test]
async fn a_child_killed_for_memory_is_not_hidden_by_its_parent() {
    let outcome = run_alone(attack("child-eats")).await;

    assert_killed(&outcome, KillReason::OutOfMemory);
}

#[tokio::test]
async fn address_space_alone_costs_nothing() {
    assert_eq!(text(run_alone(attack("reserve")).await), "reserve=ok\nalive\n");
}

#[tokio::test]
async fn memory_cannot_be_locked() {
    let results = results(run_alone(attack("lock-memory")).await);

    assert_eq!(results["mlock"], "12");
    assert_eq!(results["mlockall"], "EPERM");
    assert_eq!(results["huge-pages"], "EPERM");
}

#[tokio::test]
async fn descriptors_end_at_the_limit() {
    assert_eq!(text(run_alone(attack("descriptors")).await), "253 24\n");
}

#[tokio::test]
async fn pipe_and_socket_buffers_are_bounded_by_descriptors_and_memory() {
    for name in ["pipes-full", "socket-pairs-full"] {
        let outcome = run_alone(attack(name)).await;

        let expected = [Ended::Exited(0), Ended::Killed(KillReason::OutOfMemory)];
        assert!(expected.contains(&outcome.ended), "{name}: {:?}", outcome.ended);
    }
}

#[tokio::test]
async fn processor_time_is_counted_over_the_whole_tree() {
    for name in ["spin", "spin-in-threads", "spin-in-children"] {
        let program = limited(name, |limits| limits.cpu_time = Duration::from_millis(400));

        let outcome = run_alone(program).await;

        assert_killed(&outcome, KillReason::CpuLimit);
        assert!(outcome.usage.cpu_time >= Duration::from_millis(400), "{:?}", outcome.usage);
    }
}

#[tokio::test]
async fn a_share_of_a_core_is_all_a_run_gets() {
    let program = limited("spin-in-threads", |limits| {
        limits.wall_time = Duration::from_secs(2);
        limits.cpu_millicores = 200;
    });

    let outcome = run_alone(program).await;

    assert_killed(&outcome, KillReason::Timeout);
    // A fifth of two seconds, and what was under way when the quota ran out.
    assert!(outcome.usage.cpu_time < Duration::from_secs(1), "{:?}", outcome.usage);
}

#[tokio::test]
async fn nothing_ignores_the_deadline() {
    for name in ["sleep", "ignore-signals", "stop-self", "vfork-stopped", "trickle"] {
        let program = limited(name, |limits| limits.wall_time = Duration::from_millis(200));

        let outcome = run_alone(program).await;

        assert_killed(&outcome, KillReason::Timeout);
        assert!(outcome.usage.wall_time >= Duration::from_millis(200), "{name}");
    }
}

#[tokio::test]
async fn a_signal_storm_is_survived() {
    assert_eq!(text(run_alone(attack("signal-storm")).await), "survived\n");
}

#[tokio::test]
async fn queued_signals_and_timers_are_bounded() {
    // The limit on pending signals, of which the timers find nothing left; 11: EAGAIN.
    let text = text(run_alone(attack("queue-signals")).await);

    assert_eq!(text, "queued=1024 errno=11\ntimers=0 errno=11\n");
}

#[tokio::test]
async fn peak_memory_is_the_runs_own() {
    let sandbox = start().await;
    let mut program = attack("work");
    program.limits.pids = 32;

    let large = run(&sandbox, program).await.usage.peak_memory_bytes;
    let small = run(&sandbox, attack("exit 0")).await.usage.peak_memory_bytes;

    assert!(large > 20 << 20 && small < 8 << 20, "{large} {small}");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_full_disk_and_too_many_files_are_named() {
    for name in ["fill-disk", "fill-inodes"] {
        let outcome = run_alone(attack(name)).await;

        assert_killed(&outcome, KillReason::DiskLimit);
        assert!(outcome.stdout.ends_with(b"28\n"), "ENOSPC");
    }
}

#[tokio::test]
async fn a_file_over_its_limit_is_named() {
    let outcome = run_alone(attack("big-file")).await;

    assert_killed(&outcome, KillReason::DiskLimit);
    assert_eq!(outcome.usage.signal, Some(libc::SIGXFSZ));
}

#[tokio::test]
async fn a_sparse_file_is_refused() {
    assert_eq!(text(run_alone(attack("sparse")).await), "Err(27)\n-1 27\n");
}

#[tokio::test]
async fn deep_directories_end_with_the_inodes() {
    let depth: u64 = text(run_alone(attack("deep-directories")).await).trim().parse().unwrap();

    assert!(depth < limits().disk_inodes, "{depth}");
}

#[tokio::test]
async fn limits_and_priorities_cannot_be_raised() {
    assert_results(run_alone(attack("raise-limits")).await, "EPERM", &[]);
    assert_results(run_alone(attack("priorities")).await, "EPERM", &[]);
}
