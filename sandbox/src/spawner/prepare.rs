//! Everything between being started and being ready: rights, user ids, groups, the sealed root.
//!
//! Nothing stops at the first failure: the operator gets one line for each layer that is missing.

use std::io;

use rustix::{
    process::{PidfdFlags, getpid, pidfd_open},
    thread::{CapabilitySet, capabilities},
};

use super::{claim::Claim, networks, seal::seal};
use crate::{
    cgroup::{Controller, Layout, Tree},
    error::{Layer, MissingLayer},
    image::Profile,
    protocol::Setup,
    run::monotonic_ns,
    seccomp::filter_for,
    slot::{SlotMaker, give_up_all_but},
};

/// A spawner that can make slots.
pub(super) struct Prepared {
    pub(super) maker: SlotMaker,
    pub(super) claim: Claim,
    /// Layers without which slots can be made all the same.
    pub(super) missing: Vec<MissingLayer>,
}

/// What the spawner does with each is told in `sandbox/README.md`.
const NEEDED: [(CapabilitySet, &str); 9] = [
    (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::SETPCAP, "CAP_SETPCAP"),
    (CapabilitySet::MKNOD, "CAP_MKNOD"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::KILL, "CAP_KILL"),
];

/// What a networked slot takes on top: an interface and routes, and a resolver on port 53.
const NETWORK: [(CapabilitySet, &str); 2] = [
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"),
];

/// What making slots takes: namespaces and mounts, changing user and group, handing the parts of a
/// build's disk to its user and writing there for an overlay, groups that another user owns, killing.
const KEPT: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::KILL);

const CONTROLLERS: [(Controller, Layer); 3] = [
    (Controller::Memory, Layer::Memory),
    (Controller::Pids, Layer::Pids),
    (Controller::Cpu, Layer::Cpu),
];

const DELEGATE: &str =
    "mount the cgroup file system writable and delegate it (systemd: Delegate=yes)";

pub(super) fn prepare(setup: &Setup) -> Result<Prepared, Vec<MissingLayer>> {
    let image = &setup.image;
    let mut missing = check_rights(image.profile);
    let claim = Claim::take().map_err(|error| {
        let fix = "run as root with a writable /run";
        missing.push(lacking(Layer::Uids, "claim a block of user ids in /run/apprun", &error, fix));
    });
    let tree = claim.and_then(|claim| {
        plant(claim, setup, &mut missing).map_err(|error| {
            missing.push(lacking(Layer::Memory, "make a control group", &error, DELEGATE));
        })
    });
    // What is opened before the root is sealed lies behind no path afterwards.
    let networks = networks::make(setup).and_then(|networks| seal(image).map(|()| networks));
    let networks = networks.map_err(|error| {
        let fix = "run as root, or give the container CAP_SYS_ADMIN and a seccomp profile that \
                   allows namespaces";
        missing.push(lacking(Layer::Namespaces, "seal the root", &error, fix));
    });
    let (Ok((claim, tree)), Ok(networks)) = (tree, networks) else { return Err(missing) };
    if let Err(error) = give_up_all_but(kept(image.profile)) {
        let fix = "give this process CAP_SETPCAP, or run it as root";
        missing.push(lacking(Layer::Privileges, "give up capabilities", &error, fix));
        return Err(missing);
    }
    // Both are set up at first use; every slot inherits them ready-made.
    filter_for(image.profile);
    monotonic_ns();
    let spawner = pidfd_open(getpid(), PidfdFlags::empty()).map_err(|error| {
        vec![lacking(Layer::Namespaces, "open a pidfd", &error.into(), "use Linux 5.14 or newer")]
    })?;
    let maker = SlotMaker {
        tree,
        first_uid: claim.first_uid,
        profile: image.profile,
        overlays: image.overlays.clone(),
        routes: image.routes.clone(),
        networks,
        spawner,
    };
    Ok(Prepared { maker, claim, missing })
}

/// Of `KEPT`, and of what a network takes, what this profile's slots are made with.
fn kept(profile: Profile) -> CapabilitySet {
    let network = NETWORK.iter().fold(CapabilitySet::empty(), |all, (one, _)| all.union(*one));
    if profile == Profile::Networked { KEPT.union(network) } else { KEPT }
}

fn check_rights(profile: Profile) -> Vec<MissingLayer> {
    let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    let network = if profile == Profile::Networked { &NETWORK[..] } else { &[] };
    let lacking =
        NEEDED.iter().chain(network).filter(|(capability, _)| !held.contains(*capability));
    let names: Vec<_> = lacking.map(|(_, name)| *name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let why = format!("this process lacks {}", names.join(", "));
    let fix = "run as root, or add them to the unit or container".into();
    vec![MissingLayer { layer: Layer::Privileges, why, fix }]
}

/// Makes the instance's groups; a controller that is not there is a missing layer.
fn plant(
    mut claim: Claim,
    setup: &Setup,
    missing: &mut Vec<MissingLayer>,
) -> io::Result<(Claim, Tree)> {
    let layout = Layout::detect(setup.worker)?;
    for (controller, layer) in CONTROLLERS {
        if !layout.roots.iter().any(|root| root.controllers.contains(&controller)) {
            let why = format!("no cgroup hierarchy offers the {layer} controller here");
            missing.push(MissingLayer { layer, why, fix: DELEGATE.into() });
        }
    }
    claim.list_groups(&layout)?;
    let tree = Tree::plant(&layout, &claim.name, setup.image.profile)?;
    Ok((claim, tree))
}

fn lacking(layer: Layer, action: &str, error: &io::Error, fix: &str) -> MissingLayer {
    MissingLayer { layer, why: format!("cannot {action}: {error}"), fix: fix.into() }
}
