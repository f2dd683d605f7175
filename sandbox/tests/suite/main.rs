//! Real programs in real slots. One binary, so that it links once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

mod build;
mod crash;
mod crosstalk;
mod escape;
mod faults;
mod lifetime;
mod resources;
