//! Where things stand inside the image of a Rust build, and in a published cache.

use std::path::{Path, PathBuf};

use sandbox::{Access, Bind, Overlay};

use super::RustToolchain;

/// What functions run on.
pub(super) const TARGET: &str = "x86_64-unknown-linux-musl";
/// What build scripts and procedural macros run on.
pub(super) const HOST: &str = "x86_64-unknown-linux-gnu";
/// The toolchain inside the build image.
pub(super) const ROOT: &str = "/toolchains/rust";
pub(super) const CARGO: &str = "/toolchains/rust/bin/cargo";
pub(super) const RUSTC: &str = "/toolchains/rust/bin/rustc";
pub(super) const LLD: &str = "/toolchains/rust/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
/// Compiled dependencies, warm from the first moment; a build's changes are gone at its end.
pub(super) const BUILD_CACHE: &str = "/cache/rust/build";
/// Sources of the crates that are offered.
pub(super) const VENDOR: &str = "/cache/rust/vendor";
/// The crate that speaks the protocol.
pub(super) const SERVE: &str = "/cache/rust/serve";
/// What links build scripts and procedural macros.
pub(super) const LINKER_KIT: &str = "/cache/rust/linker";
/// The compiled crates as they were published; builds see them through an overlay.
const WARM_BUILD_CACHE: &str = "/warm/rust";

/// Sub-directories of a published cache.
pub(super) const LIBRARIES_DIR: &str = "lib";
pub(super) const VENDOR_DIR: &str = "vendor";
/// The same crates, each in an archive.
pub(super) const ARCHIVES_DIR: &str = "archives";
pub(super) const SERVE_DIR: &str = "serve";
pub(super) const LINKER_DIR: &str = "linker";
pub(super) const BUILD_DIR: &str = "build";

/// What a build sees of a published cache: the host's libraries, crate sources.
pub(super) fn read_only_binds(cache: &Path) -> [Bind; 3] {
    [
        read_only(cache, LIBRARIES_DIR, "/lib64"),
        read_only(cache, VENDOR_DIR, VENDOR),
        read_only(cache, SERVE_DIR, SERVE),
    ]
}

/// The loader's other search paths all lead to the same folder.
pub(super) fn library_links() -> Vec<(PathBuf, PathBuf)> {
    vec![("lib64".into(), "/lib".into())]
}

/// Everything the build image holds for Rust.
pub(crate) fn image_parts(
    toolchain: &RustToolchain,
    cache: &Path,
) -> (Vec<Bind>, Vec<(PathBuf, PathBuf)>, Overlay) {
    let mut binds = toolchain.binds();
    binds.extend(read_only_binds(cache));
    binds.push(read_only(cache, LINKER_DIR, LINKER_KIT));
    binds.push(read_only(cache, BUILD_DIR, WARM_BUILD_CACHE));
    let overlay = Overlay { lower: WARM_BUILD_CACHE.into(), target: BUILD_CACHE.into() };
    (binds, library_links(), overlay)
}

fn read_only(directory: &Path, name: &str, target: &str) -> Bind {
    Bind { source: directory.join(name), target: target.into(), access: Access::ReadOnly }
}
