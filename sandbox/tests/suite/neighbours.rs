//! Runs at the same time: nothing they do reaches the other.

use std::{collections::BTreeSet, fs, time::Duration};

use sandbox::{Ended, KillReason, Outcome, Sandbox};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::{assert_nothing_left, attack, programs_of, results, run, start};

/// Starts a program that sleeps until it is cancelled.
fn start_sleeper(sandbox: &Sandbox, cancel: &CancellationToken) -> JoinHandle<Outcome> {
    let (sandbox, cancel) = (sandbox.clone(), cancel.clone());
    tokio::spawn(async move { sandbox.run(attack("sleep"), &cancel).await.unwrap() })
}

async fn programs(sandbox: &Sandbox, count: usize) -> Vec<u32> {
    loop {
        let pids = programs_of(sandbox.slot_uid(0));
        if pids.len() == count {
            return pids;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_neighbour_survives_signals_to_everyone() {
    let sandbox = start().await;
    let cancel = CancellationToken::new();
    let neighbour = start_sleeper(&sandbox, &cancel);
    programs(&sandbox, 1).await;

    let outcome = run(&sandbox, attack("kill-everything")).await;

    assert_eq!(results(outcome)["reached"], "0");
    cancel.cancel();
    assert_eq!(neighbour.await.unwrap().ended, Ended::Killed(KillReason::Cancelled));
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn every_run_has_a_user_and_namespaces_of_its_own() {
    let sandbox = start().await;
    let cancel = CancellationToken::new();
    let sleepers = [start_sleeper(&sandbox, &cancel), start_sleeper(&sandbox, &cancel)];
    let mut pids = programs(&sandbox, 2).await;

    pids.extend([sandbox.spawner_pid(), std::process::id()]);
    for kind in ["mnt", "net", "ipc", "uts", "pid"] {
        let link = |pid: &u32| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        let distinct: BTreeSet<_> = pids.iter().map(link).collect();
        // The spawner's pid namespace is the host's.
        assert_eq!(distinct.len(), if kind == "pid" { 3 } else { 4 }, "{kind}");
    }
    let user = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find(|line| line.starts_with("Uid:")).unwrap().to_owned()
    };
    assert_ne!(user(&pids[0]), user(&pids[1]));
    cancel.cancel();
    for sleeper in sleepers {
        sleeper.await.unwrap();
    }
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

/// What waits for a request is as powerless as what will run: it reads what callers send.
#[tokio::test]
async fn a_primed_slot_has_no_rights_left() {
    let sandbox = crate::common::start_primed(1, 2).await;
    sandbox.primed().await;

    let spawner = sandbox.spawner_pid();
    let children = |pid: u32| {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
    };
    let inits = children(spawner);
    assert_eq!(inits.len(), 2);
    for init in inits {
        let waiting = children(init);
        assert_eq!(waiting.len(), 1);
        for (pid, filtered) in [(init, "0"), (waiting[0], "2")] {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let field = |name: &str| {
                status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
            };
            let first_uid = sandbox.slot_uid(0);
            let uid: u32 = field("Uid:").split_whitespace().next().unwrap().parse().unwrap();
            assert!((first_uid..first_uid + 1024).contains(&uid), "{uid}");
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
                assert_eq!(field(set), "0000000000000000", "{set}");
            }
            assert_eq!(
                (field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()),
                ("1", filtered)
            );
        }
    }
    sandbox.stop().await;
}
