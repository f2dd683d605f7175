//! The chapter `retention`: how many days what grows is kept.

use super::values::Values;

/// Ten years, for those whom a law asks for it.
const MAX_DAYS: u32 = 3650;
/// The database refuses to forget earlier what was done.
const LEAST_AUDIT_DAYS: u32 = 30;

/// Days, each counted in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Calls, from when they were accepted.
    pub executions: u32,
    /// What calls wrote.
    pub logs: u32,
    /// Calls that failed for good, from their end: how long they wait for somebody to deal with them.
    /// Until then they are kept, however long other calls are.
    pub dead_letters: u32,
    /// Builds of versions that are gone; the others are kept with their versions.
    pub builds: u32,
    /// Binaries that no version refers to, from their last use.
    pub artifacts: u32,
    /// Who did what.
    pub audit: u32,
    /// Callbacks and their attempts.
    pub deliveries: u32,
    /// Answers to requests with an idempotency key.
    pub idempotency_keys: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            executions: 30,
            logs: 30,
            dead_letters: 30,
            builds: 30,
            artifacts: 1,
            audit: 365,
            deliveries: 30,
            idempotency_keys: 1,
        }
    }
}

impl Retention {
    pub(super) fn read(values: &mut Values) -> Self {
        let usual = Self::default();
        let mut days = |key, default, least| values.number(key, default, least..=MAX_DAYS);
        Self {
            executions: days("retention.execution_days", usual.executions, 1),
            logs: days("functions.logging.retention_days", usual.logs, 1),
            dead_letters: days("retention.dead_letter_days", usual.dead_letters, 1),
            builds: days("retention.build_days", usual.builds, 1),
            artifacts: days("retention.artifact_days", usual.artifacts, 1),
            audit: days("retention.audit_days", usual.audit, LEAST_AUDIT_DAYS),
            deliveries: days("retention.delivery_days", usual.deliveries, 1),
            idempotency_keys: days("retention.idempotency_key_days", usual.idempotency_keys, 1),
        }
    }
}
