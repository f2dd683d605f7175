//! Rust: static builds for musl by cargo, which starts six times faster than a glibc binary.
//!
//! No C compiler is needed: functions link with Rust's own linker and musl, build scripts and
//! procedural macros through a small kit made once per toolchain.

mod diagnostics;
mod discover;
mod layout;
mod lock;
mod manifest;
mod offered;
mod plan;
mod warm;

pub(crate) use diagnostics::parse;
pub(crate) use discover::{RustToolchain, discover};
pub(crate) use layout::image_parts;
pub(crate) use offered::join as join_offered;
pub(crate) use plan::plan;
pub(crate) use warm::{warm_up, warm_up_inputs};
