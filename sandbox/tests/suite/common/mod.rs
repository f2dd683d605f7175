//! What every test of this room needs: the hostile program, a sandbox to run it in, and proof that
//! nothing is left of it afterwards.

mod aftermath;
mod go;
mod programs;

pub(crate) use aftermath::{Group, assert_nothing_left, groups_of, processes_of, programs_of};
pub(crate) use go::go_root;
pub(crate) use programs::{attack, hostile, limits, rust_root};

use std::collections::BTreeMap;

use sandbox::{
    Conditions, DiskSize, Ended, Image, Launcher, Limits, Options, Outcome, Program, Sandbox,
};
use tokio_util::sync::CancellationToken;

/// A sandbox for functions without primed slots, so that an idle one has no process at all.
pub(crate) async fn start() -> Sandbox {
    Sandbox::start(Options { slots: 4, primed: 0, ..Options::new(Image::empty()) }).await.unwrap()
}

/// A sandbox for functions with primed slots, in which the attacks as they are will run.
pub(crate) async fn start_primed(slots: usize, primed: usize) -> Sandbox {
    let Limits { disk_bytes, disk_inodes, .. } = limits();
    let primed_disk = DiskSize { bytes: disk_bytes, inodes: disk_inodes };
    let options = Options { slots, primed, primed_disk, ..Options::new(Image::empty()) };
    Sandbox::start(options).await.unwrap()
}

pub(crate) async fn run(sandbox: &Sandbox, program: Program) -> Outcome {
    sandbox.run(program, &CancellationToken::new()).await.unwrap()
}

/// A spawner that ends at once.
pub(crate) fn useless_spawner() -> Conditions {
    Conditions { launcher: Launcher::Other("/bin/true".into()), ..Conditions::default() }
}

/// Runs one attack in a sandbox of its own and sees that nothing is left of it.
pub(crate) async fn run_alone(program: Program) -> Outcome {
    let sandbox = start().await;
    let outcome = run(&sandbox, program).await;
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
    outcome
}

/// Standard output of a program that must have ended well.
pub(crate) fn text(outcome: Outcome) -> String {
    let log = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.ended, Ended::Exited(0), "{log}");
    String::from_utf8(outcome.stdout).unwrap()
}

/// The `name=result` lines of an attack's attempts.
pub(crate) fn results(outcome: Outcome) -> BTreeMap<String, String> {
    let text = text(outcome);
    let pair = |line: &str| {
        let (name, result) = line.rsplit_once('=').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), result.to_owned())
    };
    text.lines().map(pair).collect()
}

/// Every attempt must have ended in the one expected way, but for the named exceptions.
pub(crate) fn assert_results(outcome: Outcome, expected: &str, but: &[(&str, &str)]) {
    let results = results(outcome);
    assert!(!results.is_empty());
    for (name, result) in results {
        let exception = but.iter().find(|(known, _)| *known == name).map(|(_, result)| *result);
        assert_eq!(result, exception.unwrap_or(expected), "{name}");
    }
}

/// For tests that count what the whole process holds: runs this test again in a process without any
/// other test, and says whether this already is that process.
pub(crate) fn is_alone(test: &str) -> bool {
    const MARK: &str = "APPRUN_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut command = std::process::Command::new("/proc/self/exe");
    let status = command.args([test, "--exact", "--nocapture"]).env(MARK, "1").status().unwrap();
    assert!(status.success());
    false
}
