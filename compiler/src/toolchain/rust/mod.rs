//! Rust: static builds for musl by cargo, which starts six times faster than a glibc binary.
//!
//! No C compiler is needed: functions link with Rust's own linker and musl, build scripts and
//! procedural macros through a small kit made once per toolchain.

mod diagnostics;
mod discover;
mod manifest;
mod plan;
mod warm;

pub(crate) use diagnostics::parse;
pub(crate) use discover::{RustToolchain, discover};
pub(crate) use plan::plan;
use warm::PREPARED;
pub(crate) use warm::{warm_up, warm_up_inputs};

use std::path::{Path, PathBuf};

use sandbox::{Bind, Overlay};

/// What functions run on.
const TARGET: &str = "x86_64-unknown-linux-musl";
/// What build scripts and procedural macros run on.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// Inside the build image.
const CARGO: &str = "/toolchains/rust/bin/cargo";
const RUSTC: &str = "/toolchains/rust/bin/rustc";
const LLD: &str = "/toolchains/rust/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
/// Compiled dependencies, warm from the first moment; a build's changes are gone at its end.
const BUILD_CACHE: &str = "/cache/rust/build";
/// Sources of the crates that are offered.
const VENDOR: &str = "/cache/rust/vendor";
/// The crate that speaks the protocol.
const SERVE: &str = "/cache/rust/serve";
/// What links build scripts and procedural macros.
const LINKER_KIT: &str = "/cache/rust/linker";
/// The compiled crates as they were published; builds see them through an overlay.
const WARM_BUILD_CACHE: &str = "/warm/rust";

/// What a build sees of a published cache: the host's libraries, crate sources.
fn read_only_binds(cache: &Path) -> [Bind; 3] {
    [
        warm::read_only(cache, warm::LIBRARIES_DIR, "/lib64"),
        warm::read_only(cache, warm::VENDOR_DIR, VENDOR),
        warm::read_only(cache, warm::SERVE_DIR, SERVE),
    ]
}

/// The loader's other search paths all lead to the same folder.
fn library_links() -> Vec<(PathBuf, PathBuf)> {
    vec![("lib64".into(), "/lib".into())]
}

/// Everything the build image holds for Rust.
pub(crate) fn image_parts(
    toolchain: &RustToolchain,
    cache: &Path,
) -> (Vec<Bind>, Vec<(PathBuf, PathBuf)>, Overlay) {
    let mut binds = toolchain.binds();
    binds.extend(read_only_binds(cache));
    binds.push(warm::read_only(cache, warm::LINKER_DIR, LINKER_KIT));
    binds.push(warm::read_only(cache, warm::BUILD_DIR, WARM_BUILD_CACHE));
    let overlay = Overlay { lower: WARM_BUILD_CACHE.into(), target: BUILD_CACHE.into() };
    (binds, library_links(), overlay)
}
