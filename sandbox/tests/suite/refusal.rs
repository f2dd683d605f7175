//! A sandbox that cannot isolate does not start, and says why, layer by layer.

use std::time::Duration;

use rustix::{
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    thread::{CapabilitySet, UnshareFlags, remove_capability_from_bounding_set},
};
use sandbox::{Conditions, Ended, Image, KillReason, Layer, Options, Sandbox, StartError};

use crate::common::{assert_nothing_left, attack, run};

async fn refused(options: Options) -> Vec<Layer> {
    match Sandbox::start(options).await.err().expect("refused") {
        StartError::Incomplete(missing) => {
            assert!(missing.iter().all(|layer| !layer.why.is_empty() && !layer.fix.is_empty()));
            missing.into_iter().map(|missing| missing.layer).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn without(layer: Layer) -> Conditions {
    Conditions { allow_degraded: vec![layer], ..Conditions::default() }
}

/// The bounding set belongs to this thread, and the spawner is started from it.
#[tokio::test]
async fn without_its_capabilities_every_layer_that_fails_is_named() {
    remove_capability_from_bounding_set(CapabilitySet::SYS_ADMIN).unwrap();

    let layers = refused(Options::new(Image::empty())).await;

    assert_eq!(layers, [Layer::Privileges, Layer::Namespaces]);
}

/// On the hybrid layout a controller can be taken away by unmounting its hierarchy, here in a mount
/// namespace of this thread's own.
#[tokio::test]
async fn hybrid_a_missing_controller_is_refused_unless_it_is_allowed_by_name() {
    #[allow(deprecated, reason = "the descriptor table is not unshared")]
    rustix::thread::unshare(UnshareFlags::NEWNS).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    unmount("/sys/fs/cgroup/cpu", UnmountFlags::DETACH).unwrap();
    let options = Options { primed: 0, ..Options::new(Image::empty()) };

    assert_eq!(refused(options.clone()).await, [Layer::Cpu]);
    let other = Options { conditions: without(Layer::Memory), ..options.clone() };
    assert_eq!(refused(other).await, [Layer::Cpu]);
    let allowed = Options { conditions: without(Layer::Cpu), ..options };
    let sandbox = Sandbox::start(allowed).await.unwrap();

    assert_eq!(sandbox.missing_layers(), [Layer::Cpu]);
    assert_eq!(run(&sandbox, attack("exit 0")).await.ended, Ended::Exited(0));
    sandbox.stop().await;
}

/// The same suite of endings with v1 alone: no cgroup2 mount beside it.
#[tokio::test]
async fn hybrid_without_its_v2_mount_limits_and_kills_all_the_same() {
    #[allow(deprecated, reason = "the descriptor table is not unshared")]
    rustix::thread::unshare(UnshareFlags::NEWNS).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    unmount("/sys/fs/cgroup/unified", UnmountFlags::DETACH).unwrap();
    let options = Options { slots: 2, primed: 0, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();

    for (name, reason) in [
        ("eat", KillReason::OutOfMemory),
        ("child-eats", KillReason::OutOfMemory),
        ("thread-bomb", KillReason::PidsLimit),
        ("spin-in-children", KillReason::CpuLimit),
    ] {
        let mut program = attack(name);
        program.limits.cpu_time = Duration::from_millis(300);
        assert_eq!(run(&sandbox, program).await.ended, Ended::Killed(reason), "{name}");
    }
    let mut bomb = attack("stubborn-fork-bomb");
    bomb.limits.wall_time = Duration::from_millis(300);
    assert!(matches!(run(&sandbox, bomb).await.ended, Ended::Killed(_)));
    assert_eq!(run(&sandbox, attack("daemons 10")).await.ended, Ended::Exited(0));
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[test]
fn layers_have_names_that_lead_back() {
    for name in ["memory", "pids", "cpu", "kill-all", "seccomp", "network", "files", "namespaces"] {
        assert_eq!(Layer::from_name(name).unwrap().name(), name);
    }
    assert_eq!(Layer::from_name("*"), None);
}
