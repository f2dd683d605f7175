//! The chapter `functions.limits`, as far as it is about sizes: how much goes in and out.

use super::values::Values;

/// An upper bound for every size in KiB: what one row should hold at the very most.
const MAX_PAYLOAD_KIB: u32 = 64 * 1024;

/// Sizes of what goes in and out, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadLimits {
    /// Longest input of a call.
    pub input_bytes: usize,
    /// Longest output of a call.
    pub output_bytes: usize,
    /// Longest log kept of a call.
    pub log_bytes: usize,
    /// Longest source sent as text.
    pub source_bytes: usize,
    /// Longest source sent as a zip archive.
    pub archive_bytes: usize,
    /// All files of an archive together, unpacked.
    pub unpacked_bytes: usize,
    /// Files in one source.
    pub source_files: usize,
}

impl Default for PayloadLimits {
    /// As the contract states them.
    fn default() -> Self {
        const KIB: usize = 1024;
        Self {
            input_bytes: 1024 * KIB,
            output_bytes: 1024 * KIB,
            log_bytes: 256 * KIB,
            source_bytes: 1024 * KIB,
            archive_bytes: 10 * 1024 * KIB,
            unpacked_bytes: 50 * 1024 * KIB,
            source_files: 1000,
        }
    }
}

impl PayloadLimits {
    pub(super) fn read(values: &mut Values) -> Self {
        let usual = Self::default();
        let as_number = |usual: usize| u32::try_from(usual).unwrap_or(u32::MAX);
        let mut bytes = |key, usual: usize| {
            values.number(key, as_number(usual / 1024), 1..=MAX_PAYLOAD_KIB) as usize * 1024
        };
        Self {
            input_bytes: bytes("functions.limits.max_input_kib", usual.input_bytes),
            output_bytes: bytes("functions.limits.max_output_kib", usual.output_bytes),
            log_bytes: bytes("functions.limits.max_log_kib", usual.log_bytes),
            source_bytes: bytes("functions.limits.max_source_kib", usual.source_bytes),
            archive_bytes: bytes("functions.limits.max_archive_kib", usual.archive_bytes),
            unpacked_bytes: bytes("functions.limits.max_unpacked_kib", usual.unpacked_bytes),
            source_files: values.number(
                "functions.limits.max_source_files",
                as_number(usual.source_files),
                1..=100_000,
            ) as usize,
        }
    }

    /// Longest body with one input.
    pub const fn call_body_bytes(&self) -> usize {
        self.input_bytes + Self::AROUND_BYTES
    }

    /// Longest body with many inputs: not all of them can be as long as one may be.
    pub const fn batch_body_bytes(&self) -> usize {
        const INPUTS: usize = 8;
        INPUTS * self.input_bytes + Self::AROUND_BYTES
    }

    /// Longest body with a source as JSON text.
    pub const fn source_body_bytes(&self) -> usize {
        // A byte of text takes at most six in JSON, as in `\u0000`.
        const AS_JSON: usize = 6;
        AS_JSON * self.source_bytes + Self::AROUND_BYTES
    }

    /// No endpoint reads a longer body: a batch, or a form around a source and an archive.
    pub const fn largest_body_bytes(&self) -> usize {
        let form = self.source_body_bytes() + self.archive_bytes + Self::AROUND_BYTES;
        let batch = self.batch_body_bytes();
        if form > batch { form } else { batch }
    }

    /// What stands around the large fields of a body, with room to spare.
    const AROUND_BYTES: usize = 64 * 1024;
}
