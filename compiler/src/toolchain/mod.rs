//! The installed toolchains, one module per language.

pub(crate) mod go;
pub(crate) mod rust;
pub(crate) mod scan;

mod found;
mod places;

pub use found::{InstalledToolchain, Toolchains};
pub use places::Places;

/// More diagnostics than this help nobody; the log has them all.
pub(crate) const MAX_DIAGNOSTICS: usize = 50;

/// Which module a plan belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Go,
    Rust,
}
