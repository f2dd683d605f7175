//! Go: pure, static, reproducible builds by the go command.

mod constraint;
mod diagnostics;
mod discover;
mod layout;
mod plan;
mod sum;
mod warm;

pub(crate) use diagnostics::parse;
pub(crate) use discover::{GoToolchain, discover};
pub(crate) use layout::image_parts;
pub(crate) use plan::plan;
pub(crate) use warm::{warm_up, warm_up_inputs};
