//! The compiler against real toolchains in real sandboxes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod builds;
mod common;
mod dependencies;
mod document;
mod examples;
mod shelf;
