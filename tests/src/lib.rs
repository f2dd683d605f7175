//! End to end through the real binary. The tests are in `tests/`.
