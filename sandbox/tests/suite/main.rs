//! Real programs in real slots. One binary, so that it links once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

mod compilers;
mod crash;
mod crosstalk;
mod document;
mod escape;
mod faults;
mod images;
mod leaks;
mod lifetime;
mod neighbours;
mod networked;
mod refusal;
mod resources;
mod tools;
mod warden;
