//! Where Go is. Shared with the benchmark, which includes this file.

use std::{path::PathBuf, process::Command};

/// `APPRUN_GO_ROOT`, else what `make setup` installed, else where Go is usually found.
pub(crate) fn go_root() -> PathBuf {
    let home = |rest: &str| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(rest));
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let candidates = [
        std::env::var_os("APPRUN_GO_ROOT").map(PathBuf::from),
        data.or_else(|| home(".local/share")).map(|data| data.join("apprun/toolchains/go")),
        Some("/usr/local/go".into()),
    ];
    let installed = candidates.into_iter().flatten().find(|root| root.join("bin/go").exists());
    installed.unwrap_or_else(on_the_path)
}

fn on_the_path() -> PathBuf {
    let output = Command::new("go").args(["env", "GOROOT"]).output();
    let output =
        output.unwrap_or_else(|error| panic!("no Go found, `make setup` installs it: {error}"));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}
