//! The control files of one group: which exist in which version, and how they are opened.

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::layout::{Controller, Version};

/// A control file that the worker holds open for the life of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Knob {
    /// Bytes.
    MemoryMax,
    /// v1 only: bytes of memory and swap together, written after `MemoryMax`.
    MemoryAndSwapMax,
    /// Holds a line `oom_kill N`.
    MemoryEvents,
    /// Bytes.
    MemoryPeak,
    /// Processes and threads.
    PidsMax,
    /// Holds a line `max N`.
    PidsEvents,
    /// v2: `quota period`, microseconds.
    CpuMax,
    /// v1: microseconds per period of 100,000.
    CpuQuota,
    /// v2, also without the cpu controller: holds a line `usage_usec N`.
    CpuStat,
    /// v1: nanoseconds.
    CpuUsage,
    /// v2: writing 1 kills every process.
    Kill,
}

/// One row of the table.
pub(super) struct Row {
    pub(super) knob: Knob,
    pub(super) version: Version,
    /// None: every group of that version has it.
    pub(super) controller: Option<Controller>,
    pub(super) file: &'static str,
    pub(super) access: OFlags,
}

const fn row(
    knob: Knob,
    version: Version,
    controller: Option<Controller>,
    file: &'static str,
    access: OFlags,
) -> Row {
    Row { knob, version, controller, file, access }
}

const READ: OFlags = OFlags::RDONLY;
const WRITE: OFlags = OFlags::WRONLY;

/// From the kernel's admin guide, cgroup-v1/* and cgroup-v2.rst.
pub(super) const TABLE: &[Row] = &[
    row(Knob::MemoryMax, Version::V1, Some(Controller::Memory), "memory.limit_in_bytes", WRITE),
    row(
        Knob::MemoryAndSwapMax,
        Version::V1,
        Some(Controller::Memory),
        "memory.memsw.limit_in_bytes",
        WRITE,
    ),
    row(Knob::MemoryEvents, Version::V1, Some(Controller::Memory), "memory.oom_control", READ),
    row(Knob::MemoryPeak, Version::V1, Some(Controller::Memory), "memory.max_usage_in_bytes", READ),
    row(Knob::PidsMax, Version::V1, Some(Controller::Pids), "pids.max", WRITE),
    row(Knob::PidsEvents, Version::V1, Some(Controller::Pids), "pids.events", READ),
    row(Knob::CpuQuota, Version::V1, Some(Controller::Cpu), "cpu.cfs_quota_us", WRITE),
    row(Knob::CpuUsage, Version::V1, Some(Controller::CpuAcct), "cpuacct.usage", READ),
    row(Knob::MemoryMax, Version::V2, Some(Controller::Memory), "memory.max", WRITE),
    row(Knob::MemoryEvents, Version::V2, Some(Controller::Memory), "memory.events", READ),
    row(Knob::MemoryPeak, Version::V2, Some(Controller::Memory), "memory.peak", READ),
    row(Knob::PidsMax, Version::V2, Some(Controller::Pids), "pids.max", WRITE),
    row(Knob::PidsEvents, Version::V2, Some(Controller::Pids), "pids.events", READ),
    row(Knob::CpuMax, Version::V2, Some(Controller::Cpu), "cpu.max", WRITE),
    row(Knob::CpuStat, Version::V2, None, "cpu.stat", READ),
    row(Knob::Kill, Version::V2, None, "cgroup.kill", WRITE),
];
