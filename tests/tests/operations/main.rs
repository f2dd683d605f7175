//! What operators are given, and what they rely on.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod readiness;
