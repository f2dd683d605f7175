//! A function's folder: its manifest, and the source beside it.

mod manifest;
mod source;
mod yaml;
mod zip;

pub(crate) use manifest::{MANIFEST, Manifest};
pub(crate) use source::Source;
