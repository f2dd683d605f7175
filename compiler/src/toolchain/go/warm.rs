//! Fills a build cache with the part of the standard library that functions use, and with our own
//! package for every language version.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use sandbox::Conditions;

use super::{
    GoToolchain,
    layout::{CACHE, GO},
    plan,
};
use crate::{
    PrepareError,
    cache::{Use, open_to_builds},
    warm::{WarmUp, at},
};

/// With all that these stand on, about nine tenths of what handlers import. Anything else is
/// compiled where it is needed.
const PACKAGES: &[&str] = &[
    "bufio",
    "cmp",
    "compress/gzip",
    "container/heap",
    "container/list",
    "crypto/ed25519",
    "crypto/hmac",
    "crypto/md5",
    "crypto/rsa",
    "crypto/sha256",
    "crypto/sha512",
    "embed",
    "encoding/base64",
    "encoding/binary",
    "encoding/csv",
    "encoding/hex",
    "encoding/json",
    "encoding/xml",
    "fmt",
    "hash/crc32",
    "html/template",
    "iter",
    "log",
    "log/slog",
    "maps",
    "math/big",
    "math/rand",
    "math/rand/v2",
    "net/http",
    "net/mail",
    "net/url",
    "os/signal",
    "regexp",
    "slices",
    "sync/atomic",
    "text/tabwriter",
    "text/template",
    "time/tzdata",
    "unicode/utf8",
];

/// Build lines lift single files to newer versions; older ones than this share its compiled form.
const OLDEST_MINOR: u16 = 18;

/// All that decides what a warm-up makes, besides the toolchain.
pub(crate) fn warm_up_inputs() -> Vec<String> {
    let mut inputs: Vec<_> = PACKAGES.iter().map(|package| (*package).to_owned()).collect();
    inputs.extend([plan::SERVE, plan::DECODE, plan::EXPLAIN, plan::STDOUT].map(str::to_owned));
    inputs.extend(plan::build_args(None, &[]));
    inputs.extend(plan::environment().into_iter().map(|(name, value)| format!("{name}={value}")));
    inputs
}

/// Fills `directory`, which becomes the lower layer of every Go build.
pub(crate) async fn warm_up(
    toolchain: &GoToolchain,
    directory: &Path,
    conditions: &Conditions,
) -> Result<(), PrepareError> {
    let (binds, writable) = (toolchain.binds(), [(directory, CACHE)]);
    let warm_up = WarmUp::start("go-warm-up", binds, Vec::new(), &writable, conditions).await?;
    let newest = toolchain.version.minor;
    let known = |package: &&&str| toolchain.root.join("src").join(package).is_dir();
    let packages: Vec<_> = PACKAGES.iter().filter(known).copied().collect();
    let args = plan::build_args(None, &packages);
    warm_up.run(GO, args, plan::environment(), vec![plan::go_mod(newest)]).await?;
    for minor in OLDEST_MINOR..=newest {
        let args = plan::build_args(None, &[&format!("./{}", plan::SERVE_PACKAGE)]);
        let mut files = vec![plan::go_mod(minor)];
        files.extend(plan::serve_packages(plan::DEFAULT_MODULE));
        warm_up.run(GO, args, plan::environment(), files).await?;
    }
    warm_up.finish().await;
    // The go command refreshes the time of every entry older than an hour that it uses, which would
    // copy each into the overlay. Entries from the future are left alone.
    let far_future = SystemTime::UNIX_EPOCH + Duration::from_secs(67 * 365 * 24 * 3600);
    open_to_builds(directory, Use::Overlay, &|file| file.set_modified(far_future))
        .map_err(at(directory))
}
