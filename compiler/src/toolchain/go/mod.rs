//! Go: pure, static, reproducible builds by the go command.

mod diagnostics;
mod discover;
mod plan;
mod warm;

pub(crate) use diagnostics::parse;
pub(crate) use discover::{GoToolchain, discover};
pub(crate) use plan::plan;
pub(crate) use warm::{warm_up, warm_up_inputs};

use std::path::Path;

use sandbox::{Access, Bind, Overlay};

/// The go command inside the build image.
const GO: &str = "/toolchains/go/bin/go";
/// The build cache a build sees: warm from the first moment, its changes gone at the end.
const CACHE: &str = "/cache/go";
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
