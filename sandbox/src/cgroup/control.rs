//! The worker's hands on one slot's groups: descriptors, no paths, no privileges.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::io::{pread, pwrite};

use super::knob::Knob;
use crate::program::Limits;

/// Period of the processor quota: the kernel's default.
const CPU_PERIOD_US: u64 = 100_000;
/// The kernel refuses a smaller share.
const LEAST_QUOTA_US: u64 = 1000;
/// The kernel knows no more process ids (PID_MAX_LIMIT), and refuses a higher limit.
const MOST_PIDS: u32 = (1 << 22) - INIT_PIDS - 1;
/// Init is one process of the group.
const INIT_PIDS: u32 = 1;

/// Sets limits, reads counters and kills.
#[derive(Debug)]
pub(crate) struct Control {
    knobs: Vec<(Knob, OwnedFd)>,
}

impl Control {
    pub(crate) fn new(knobs: Vec<(Knob, OwnedFd)>) -> Control {
        Control { knobs }
    }

    /// Sets what applies to the whole tree. Must come before the program starts.
    pub(crate) fn set_limits(&self, limits: &Limits) -> io::Result<()> {
        self.write(Knob::MemoryMax, limits.memory_bytes)?;
        self.write(Knob::MemoryAndSwapMax, limits.memory_bytes)?;
        self.write(Knob::PidsMax, limits.pids.min(MOST_PIDS).saturating_add(INIT_PIDS))?;
        let quota_us = u64::from(limits.cpu_millicores) * CPU_PERIOD_US / 1000;
        let quota_us = quota_us.max(LEAST_QUOTA_US);
        self.write(Knob::CpuQuota, quota_us)?;
        self.write(Knob::CpuMax, format_args!("{quota_us} {CPU_PERIOD_US}"))
    }

    /// Kills every process of the run, init included, where the kernel can do that at once.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.write(Knob::Kill, 1)
    }

    /// Processor time of every process so far, ended ones included.
    pub(crate) fn cpu_time(&self) -> Duration {
        if let Some(usage) = self.read(Knob::CpuStat) {
            return Duration::from_micros(field(&usage, "usage_usec"));
        }
        let usage = self.read(Knob::CpuUsage).unwrap_or_default();
        Duration::from_nanos(usage.trim().parse().unwrap_or(0))
    }

    /// Most memory charged at any time, in bytes.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        self.read(Knob::MemoryPeak).and_then(|peak| peak.trim().parse().ok()).unwrap_or(0)
    }

    /// True when any process of the run was killed for memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.read(Knob::MemoryEvents).is_some_and(|events| field(&events, "oom_kill") > 0)
    }

    /// True when any fork or thread was refused.
    pub(crate) fn ran_out_of_pids(&self) -> bool {
        self.read(Knob::PidsEvents).is_some_and(|events| field(&events, "max") > 0)
    }

    fn write(&self, knob: Knob, value: impl std::fmt::Display) -> io::Result<()> {
        if let Some(file) = self.file(knob) {
            pwrite(file, value.to_string().as_bytes(), 0)?;
        }
        Ok(())
    }

    fn read(&self, knob: Knob) -> Option<String> {
        let mut buffer = [0_u8; 1024];
        let length = pread(self.file(knob)?, &mut buffer, 0).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn file(&self, knob: Knob) -> Option<&OwnedFd> {
        self.knobs.iter().find(|(known, _)| *known == knob).map(|(_, file)| file)
    }
}

/// The number after `name` in a file of `name number` lines; 0 when absent.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}
