//! Attempts to see, reach or become something outside.

use sandbox::{Ended, KillReason};

use crate::common::{assert_results, attack, results, run_alone, text};

#[tokio::test]
async fn no_file_of_the_host_is_there() {
    let paths = "host-files /etc /etc/passwd /etc/shadow /root /home /usr /bin/sh /lib /var /run \
                 /run/apprun /sys /sys/fs/cgroup /proc /proc/1/environ /proc/self/exe /proc/self/fd \
                 /dev/shm /dev/pts /dev/tty /dev/kmsg /dev/mem /dev/kvm /dev/fuse /dev/vda /slot";

    assert_results(run_alone(attack(paths)).await, "2", &[]);
}

#[tokio::test]
async fn the_root_holds_devices_and_tmp_and_cannot_be_changed() {
    let outcome = run_alone(attack("walk-up")).await;

    assert_eq!(text(outcome), "[\"dev\", \"tmp\"]\nwrite=30\nmkdir=30\n");
}

#[tokio::test]
async fn nothing_but_the_three_streams_is_inherited() {
    assert_eq!(text(run_alone(attack("inherited")).await), "0=closed\n1=closed\n2=closed\n");
}

#[tokio::test]
async fn forbidden_calls_are_refused() {
    let exceptions =
        [("clone3", "ENOSYS"), ("io_uring_setup", "ENOSYS"), ("number-far-above", "ENOSYS")];
    assert_results(run_alone(attack("calls")).await, "EPERM", &exceptions);
}

#[tokio::test]
async fn calls_no_honest_program_makes_are_fatal() {
    assert_results(run_alone(attack("fatal-calls")).await, "signal 31", &[]);
}

#[tokio::test]
async fn other_ways_into_the_kernel_are_fatal() {
    assert_results(run_alone(attack("wrong-arch")).await, "signal 31", &[]);
    assert_results(run_alone(attack("x32")).await, "signal 31", &[]);
    // Where the kernel still has that page, the call is one that the filter allows anyway.
    let result = &results(run_alone(attack("vsyscall")).await)["vsyscall-time"];
    assert!(["ok", "signal 11"].contains(&result.as_str()), "{result}");
}

#[tokio::test]
async fn a_violation_is_named_and_what_was_written_before_is_kept() {
    let outcome = run_alone(attack("violate")).await;

    assert_eq!(outcome.ended, Ended::Killed(KillReason::SandboxViolation));
    assert_eq!(outcome.usage.signal, Some(libc::SIGSYS));
    assert_eq!(outcome.stdout, b"so far\n");
}

#[tokio::test]
async fn there_is_no_network() {
    assert_results(run_alone(attack("network")).await, "EPERM", &[("unix-pair", "ok")]);
}

#[tokio::test]
async fn written_programs_cannot_be_run() {
    // 13: the file system forbids execution; 9: the launch descriptor is gone.
    let exceptions = [("execveat-launch-number", "13")];
    assert_results(run_alone(attack("run-written")).await, "EPERM", &exceptions);
}

#[tokio::test]
async fn nobody_outside_can_be_signalled() {
    let outcome = run_alone(attack("kill-everything")).await;

    let results = results(outcome);
    assert_eq!(results["init"], "EPERM");
    assert_eq!(results["reached"], "0");
}

#[tokio::test]
async fn traps_left_behind_are_never_touched() {
    assert_eq!(text(run_alone(attack("leave-traps")).await), "");
}

#[tokio::test]
async fn the_environment_is_exactly_what_was_given() {
    let mut program = attack("echo");
    program.env = vec![("A".into(), "1".into())];

    let outcome = run_alone(program).await;

    let log = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(log, "args [] env [(\"A\", \"1\")]\n");
}
