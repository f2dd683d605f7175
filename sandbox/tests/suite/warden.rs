//! A process that has given up the rights to start sandboxes starts them through its warden.

use std::thread;

use rustix::{
    process::{Pid, Signal, kill_process},
    thread::{CapabilitySet, UnshareFlags, capabilities},
};
use sandbox::{Conditions, Ended, Image, Launcher, Options, Sandbox, Warden};

use crate::common::{assert_nothing_left, attack, run};

/// Rights belong to threads: this one gives up its own, and the runtime's threads start with what is
/// left.
#[test]
fn without_rights_of_its_own_it_runs_programs_and_replaces_its_spawner() {
    let test = thread::spawn(|| {
        let warden = Warden::take_over().unwrap();
        assert_rights_are_gone();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run_and_lose_the_spawner(warden));
    });
    test.join().unwrap();
}

fn assert_rights_are_gone() {
    let held = capabilities(None).unwrap().permitted;
    let rights = [CapabilitySet::SYS_ADMIN, CapabilitySet::SETUID, CapabilitySet::SETPCAP];
    assert!(rights.iter().all(|right| !held.contains(*right)), "{held:?}");
    #[allow(deprecated, reason = "the descriptor table is not unshared")]
    let refused = rustix::thread::unshare(UnshareFlags::NEWNS);
    assert_eq!(refused, Err(rustix::io::Errno::PERM));
}

async fn run_and_lose_the_spawner(warden: Warden) {
    let conditions = Conditions { launcher: Launcher::Warden(warden), ..Conditions::default() };
    let options = Options { slots: 2, primed: 0, conditions, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    assert_eq!(run(&sandbox, attack("exit 3")).await.ended, Ended::Exited(3));

    let spawner = Pid::from_raw(sandbox.spawner_pid() as i32).unwrap();
    kill_process(spawner, Signal::KILL).unwrap();

    assert_eq!(run(&sandbox, attack("exit 4")).await.ended, Ended::Exited(4));
    assert_ne!(sandbox.spawner_pid(), spawner.as_raw_nonzero().get() as u32);
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}
