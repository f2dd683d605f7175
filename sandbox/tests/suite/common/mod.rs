//! What every test of this room needs: the hostile program, limits, and a sandbox to run it in.

use std::{
    fs::File,
    os::fd::OwnedFd,
    path::PathBuf,
    process::Command,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sandbox::{Executable, Image, Limits, Options, Outcome, Program, Sandbox};
use tokio_util::sync::CancellationToken;

/// Small limits that any honest little program fits in.
pub(crate) fn limits() -> Limits {
    Limits {
        wall_time: Duration::from_secs(10),
        cpu_time: Duration::from_secs(10),
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

/// Compiles `tests/hostile/main.rs` once per checkout state; cargo cannot build one target of a
/// package for another platform.
pub(crate) fn hostile() -> Arc<OwnedFd> {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/main.rs");
        let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hostile");
        compile(&source, &output);
        output
    });
    Arc::new(File::open(path).unwrap().into())
}

/// Compiles to a temporary name first: tests run as processes of their own and at the same time.
fn compile(source: &PathBuf, output: &PathBuf) {
    let newest = |directory: &std::path::Path| {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| entry.metadata().unwrap().modified().unwrap()).max().unwrap()
    };
    let built = output.metadata().and_then(|meta| meta.modified());
    if built.is_ok_and(|built| built > newest(source.parent().unwrap())) {
        return;
    }
    let draft = output.with_extension(std::process::id().to_string());
    let status = Command::new("rustc")
        .args(["--edition=2024", "--target=x86_64-unknown-linux-musl", "-Copt-level=1"])
        .args(["-Cpanic=abort", "-o"])
        .args([&draft, source])
        .status()
        .unwrap();
    assert!(status.success(), "rustc failed; is the musl target installed?");
    std::fs::rename(draft, output).unwrap();
}

/// The hostile program doing one thing.
pub(crate) fn attack(name: &str) -> Program {
    Program {
        executable: Executable::File(hostile()),
        args: vec![name.into()],
        env: Vec::new(),
        stdin: Vec::new(),
        files: Vec::new(),
        collect: None,
        limits: limits(),
    }
}

pub(crate) async fn start() -> Sandbox {
    Sandbox::start(Options { slots: 4, primed: 1, ..Options::new(Image::empty()) }).await.unwrap()
}

pub(crate) async fn run(sandbox: &Sandbox, program: Program) -> Outcome {
    sandbox.run(program, &CancellationToken::new()).await.unwrap()
}

/// The toolchain that compiles these tests.
pub(crate) fn rust_root() -> PathBuf {
    first_line(Command::new("rustc").args(["--print", "sysroot"]))
}

/// `APPRUN_GO_ROOT`, else that of the `go` on the path.
pub(crate) fn go_root() -> PathBuf {
    match std::env::var_os("APPRUN_GO_ROOT") {
        Some(root) => root.into(),
        None => first_line(Command::new("go").args(["env", "GOROOT"])),
    }
}

fn first_line(command: &mut Command) -> PathBuf {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    String::from_utf8(output.stdout).unwrap().trim_end().into()
}
