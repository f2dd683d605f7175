//! Where things stand inside the image of a Go build.

use std::path::Path;

use sandbox::{Access, Bind, Overlay};

use super::GoToolchain;

/// Where every Go toolchain stands.
pub(super) const ROOT: &str = "/toolchains/go";

/// The go command inside the build image.
pub(super) const GO: &str = "/toolchains/go/bin/go";
/// The build cache a build sees: warm from the first moment, its changes gone at the end.
pub(super) const CACHE: &str = "/cache/go";
/// The cache as it was published; builds see it through an overlay.
const WARM_CACHE: &str = "/warm/go";

/// Everything the build image holds for Go.
pub(crate) fn image_parts(toolchain: &GoToolchain, cache: &Path) -> (Vec<Bind>, Overlay) {
    let mut binds = toolchain.binds();
    binds.push(Bind {
        source: cache.to_owned(),
        target: WARM_CACHE.into(),
        access: Access::ReadOnly,
    });
    (binds, Overlay { lower: WARM_CACHE.into(), target: CACHE.into() })
}
