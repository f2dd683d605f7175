//! The commands that run a part of the product, one file each; `run` chooses.

mod api;
mod demo;
mod dev;
mod migrate;
mod plan;
mod queue;
mod ready;
mod rebuild;
mod run;
mod toolchains;
mod worker;

pub(crate) use demo::Unexpected;
pub(crate) use run::{do_without_huge_pages, launcher, run};
