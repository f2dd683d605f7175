//! Measured durations and memory as they are shown: with three decimals.

/// Milliseconds as they are shown: microseconds are what can be measured here.
pub(crate) fn milliseconds(measured: f64) -> f64 {
    (measured * 1000.0).round() / 1000.0
}

/// The unit in which memory is shown, with the decimals that a page of 4 KiB has.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / 1_048_576.0 * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_shown_with_three_decimals() {
        assert_eq!(milliseconds(1.234_567_8), 1.235);
        assert_eq!(milliseconds(30_000.0), 30_000.0);
        assert_eq!(mebibytes(4 * 1_048_576 + 4096), 4.004);
    }
}
