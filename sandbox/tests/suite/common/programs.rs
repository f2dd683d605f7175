//! The hostile program and where the Rust compiler is.

use std::{
    fs::File,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use sandbox::{Executable, Limits, Program};

/// Small limits that any honest little program fits in.
pub(crate) fn limits() -> Limits {
    Limits {
        wall_time: Duration::from_secs(20),
        cpu_time: Duration::from_secs(20),
        cpu_millicores: 1000,
        memory_bytes: 64 << 20,
        pids: 16,
        stdout_bytes: 1 << 20,
        stderr_bytes: 64 << 10,
        open_files: 256,
        file_bytes: 8 << 20,
        disk_bytes: 16 << 20,
        disk_inodes: 256,
    }
}

/// The hostile program doing one thing.
pub(crate) fn attack(name: &str) -> Program {
    Program {
        executable: Executable::File(hostile()),
        args: name.split(' ').map(str::to_owned).collect(),
        env: Vec::new(),
        stdin: Vec::new(),
        files: Vec::new(),
        collect: None,
        limits: limits(),
    }
}

/// The compiled `tests/hostile`, or the one named by `APPRUN_TEST_HOSTILE` where there is no rustc.
pub(crate) fn hostile() -> Arc<OwnedFd> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| match std::env::var_os("APPRUN_TEST_HOSTILE") {
        Some(path) => path.into(),
        None => compile(),
    });
    Arc::new(File::open(path).unwrap().into())
}

/// Compiles it when a source file is newer; cargo cannot build one target of a package for another
/// platform. Tests run as processes of their own and at the same time: one compiles, others wait.
fn compile() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/tests/hostile");
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    let lock = File::create(output.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if modified(&output).is_some_and(|built| Some(built) > newest(&sources)) {
        return output;
    }
    let draft = output.with_extension("draft");
    let status = Command::new("rustc")
        .args(["--edition=2024", "--target=x86_64-unknown-linux-musl", "--crate-name=hostile"])
        .args(["-Copt-level=1", "-Cpanic=abort", "-Cstrip=symbols", "-o"])
        .args([&draft, &sources.join("main.rs")])
        .status()
        .unwrap();
    assert!(status.success(), "rustc failed; is the musl target installed?");
    std::fs::rename(draft, &output).unwrap();
    output
}

fn newest(directory: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.filter_map(|entry| modified(&entry.unwrap().path())).max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|meta| meta.modified()).ok()
}

/// The toolchain that compiles these tests.
pub(crate) fn rust_root() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}
