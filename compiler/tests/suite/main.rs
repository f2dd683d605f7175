//! The compiler against real toolchains in real sandboxes.

mod common;
mod examples;
mod shelf;
