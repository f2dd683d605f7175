//! Decides how a run is said to have ended, from everything known about it. Pure.

use crate::{
    outcome::{Ended, KillReason},
    protocol::MainEnd,
};

/// Everything that decides how a run is said to have ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts {
    pub(crate) killed_for: Option<KillReason>,
    pub(crate) stdout_overflowed: bool,
    pub(crate) out_of_memory: bool,
    pub(crate) out_of_pids: bool,
    pub(crate) out_of_cpu: bool,
    pub(crate) disk_full: bool,
    pub(crate) main: Option<MainEnd>,
}

/// How the run ended, by the order of causes; None when nobody knows.
pub(crate) fn conclude(facts: Facts) -> Option<Ended> {
    if let Some(reason) = facts.killed_for {
        return Some(Ended::Killed(reason));
    }
    if facts.stdout_overflowed {
        return Some(Ended::Killed(KillReason::OutputLimit));
    }
    if facts.out_of_memory {
        return Some(Ended::Killed(KillReason::OutOfMemory));
    }
    Some(match facts.main? {
        MainEnd::Exited(0) => Ended::Exited(0),
        MainEnd::Signalled(libc::SIGSYS) => Ended::Killed(KillReason::SandboxViolation),
        MainEnd::Signalled(libc::SIGXFSZ) => Ended::Killed(KillReason::DiskLimit),
        MainEnd::Signalled(libc::SIGXCPU) => Ended::Killed(KillReason::CpuLimit),
        // The limit per process has no signal of its own when it is hard.
        MainEnd::Signalled(libc::SIGKILL) if facts.out_of_cpu => {
            Ended::Killed(KillReason::CpuLimit)
        }
        _ if facts.out_of_pids => Ended::Killed(KillReason::PidsLimit),
        _ if facts.disk_full => Ended::Killed(KillReason::DiskLimit),
        MainEnd::Exited(status) => Ended::Exited(status),
        MainEnd::Signalled(signal) => Ended::Signalled(signal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_cause_comes_before_everything_else() {
        let facts = Facts {
            killed_for: Some(KillReason::Timeout),
            stdout_overflowed: true,
            out_of_memory: true,
            main: Some(MainEnd::Exited(0)),
            ..Facts::default()
        };
        assert_eq!(conclude(facts), Some(Ended::Killed(KillReason::Timeout)));
        let facts = Facts { killed_for: None, ..facts };
        assert_eq!(conclude(facts), Some(Ended::Killed(KillReason::OutputLimit)));
        let facts = Facts { stdout_overflowed: false, ..facts };
        assert_eq!(conclude(facts), Some(Ended::Killed(KillReason::OutOfMemory)));
        let facts = Facts { out_of_memory: false, ..facts };
        assert_eq!(conclude(facts), Some(Ended::Exited(0)));
    }

    #[test]
    fn a_limit_that_was_met_explains_a_failure_but_not_a_success() {
        let facts = Facts { out_of_pids: true, disk_full: true, ..Facts::default() };
        let with = |main| conclude(Facts { main: Some(main), ..facts });
        assert_eq!(with(MainEnd::Exited(0)), Some(Ended::Exited(0)));
        assert_eq!(with(MainEnd::Exited(2)), Some(Ended::Killed(KillReason::PidsLimit)));
        let facts = Facts { main: Some(MainEnd::Signalled(6)), out_of_pids: false, ..facts };
        assert_eq!(conclude(facts), Some(Ended::Killed(KillReason::DiskLimit)));
    }

    #[test]
    fn signals_of_limits_are_named_and_others_are_not() {
        let with =
            |signal| conclude(Facts { main: Some(MainEnd::Signalled(signal)), ..Facts::default() });
        assert_eq!(with(libc::SIGSYS), Some(Ended::Killed(KillReason::SandboxViolation)));
        assert_eq!(with(libc::SIGXFSZ), Some(Ended::Killed(KillReason::DiskLimit)));
        assert_eq!(with(libc::SIGXCPU), Some(Ended::Killed(KillReason::CpuLimit)));
        assert_eq!(with(libc::SIGKILL), Some(Ended::Signalled(libc::SIGKILL)));
        let facts =
            Facts { out_of_cpu: true, main: Some(MainEnd::Signalled(9)), ..Facts::default() };
        assert_eq!(conclude(facts), Some(Ended::Killed(KillReason::CpuLimit)));
    }

    #[test]
    fn an_end_nobody_told_is_unknown_unless_memory_explains_it() {
        assert_eq!(conclude(Facts::default()), None);
        let facts = Facts { out_of_memory: true, ..Facts::default() };
        assert_eq!(conclude(facts), Some(Ended::Killed(KillReason::OutOfMemory)));
    }
}
