//! Links build scripts and procedural macros, which run on the builder itself: Rust's own linker,
//! told what a C compiler would have told it.

use std::{env, os::unix::process::CommandExt, process::Command};

const LLD: &str = "/toolchains/rust/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
const KIT: &str = "/cache/rust/linker";

fn main() {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let is_library = args.iter().any(|arg| arg == "-shared");
    let mut linker = Command::new(LLD);
    linker.args(["-flavor", "gnu"]).args(args);
    linker.arg("--threads=2").arg("-L/lib64").arg(format!("{KIT}/libdso_handle.rlib"));
    if !is_library {
        linker.args(["-dynamic-linker", "/lib64/ld-linux-x86-64.so.2"]);
        linker.arg(format!("{KIT}/libstart.rlib"));
    }
    let error = linker.exec();
    eprintln!("failed to run {LLD}: {error}");
    std::process::exit(1)
}
