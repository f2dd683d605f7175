//! Gives up root: user, groups, capabilities, and the ways to get any of them back.

use std::io;

use rustix::{
    fs::{Gid, Uid},
    thread::remove_capability_from_bounding_set,
};
use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::{
        CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities,
        clear_ambient_capability_set, set_capabilities, set_capabilities_secure_bits,
        set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
        set_thread_res_uid,
    },
};

/// Nothing started from here on gets capabilities by being root or by executing a file, whatever
/// the file; what this process holds beyond `kept` is given up. Cannot be undone.
pub(crate) fn give_up_all_but(kept: CapabilitySet) -> io::Result<()> {
    // What was never held is a layer reported as missing by now.
    let held = capabilities(None)?.permitted;
    bound_by(CapabilitySet::empty())?;
    set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    )?;
    hold_only(kept.intersection(held))
}

/// Keeps of its rights only `kept`. No program executed from here on has more, so nothing else has to
/// be given up; the bounding set is too, by those who may, for whoever looks at it.
pub(crate) fn keep_only(kept: CapabilitySet) -> io::Result<()> {
    let held = capabilities(None)?.permitted;
    set_no_new_privs(true)?;
    if held.contains(CapabilitySet::SETPCAP) {
        bound_by(kept)?;
    }
    hold_only(kept.intersection(held))
}

/// Becomes `uid` (and the group of that number) for good, with at most the `kept` capabilities.
pub(super) fn become_user(uid: u32, kept: CapabilitySet) -> io::Result<()> {
    set_keep_capabilities(!kept.is_empty())?;
    set_thread_groups(&[])?;
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    clear_ambient_capability_set()?;
    hold_only(kept)?;
    set_no_new_privs(true)?;
    // Another process of the same user could otherwise look into this one.
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn hold_only(kept: CapabilitySet) -> io::Result<()> {
    let inheritable = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })?)
}

/// Takes everything but `kept` out of the bounding set.
fn bound_by(kept: CapabilitySet) -> io::Result<()> {
    for capability in CapabilitySet::all().difference(kept).iter() {
        match remove_capability_from_bounding_set(capability) {
            // A capability this kernel does not know.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
