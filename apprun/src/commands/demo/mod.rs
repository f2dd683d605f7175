//! `apprun demo`: the main job of the product, from registering to a function that does not compile,
//! against the real HTTP API of a stack of its own in a temporary directory.

mod client;
mod examples;
mod report;
mod stage;
mod walk;

pub(crate) use client::Unexpected;
pub(super) use stage::{quieten, run};
