//! What is run: the same small program in both languages, and a fork bomb.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use sandbox::{Executable, Limits, Program};

use crate::go::go_root;

pub(crate) const INPUT: &[u8] = b"{\"name\":\"world\"}";

const RUST_ECHO: &str = "use std::io::{copy, stdin, stdout};\n\
    fn main() { copy(&mut stdin(), &mut stdout()).unwrap(); }\n";
const GO_ECHO: &str = "package main\n\nimport (\"io\"; \"os\")\n\n\
    func main() { io.Copy(os.Stdout, os.Stdin) }\n";
const RUST_BOMB: &str = "unsafe extern \"C\" { fn fork() -> i32; }\n\
    fn main() { assert!(!std::path::Path::new(\"/etc\").exists()); loop { unsafe { fork(); } } }\n";

/// Paths of what was compiled.
pub(crate) struct Binaries {
    pub(crate) rust: PathBuf,
    pub(crate) go: PathBuf,
    pub(crate) bomb: PathBuf,
}

impl Binaries {
    pub(crate) fn compile(directory: &Path) -> Binaries {
        Binaries {
            rust: compile_rust(directory, "echo", RUST_ECHO),
            go: compile_go(directory),
            bomb: compile_rust(directory, "bomb", RUST_BOMB),
        }
    }
}

fn compile_rust(directory: &Path, name: &str, source: &str) -> PathBuf {
    let (input, output) = (directory.join(name).with_extension("rs"), directory.join(name));
    fs::write(&input, source).unwrap();
    let status = Command::new("rustc")
        .args(["--edition=2024", "--target=x86_64-unknown-linux-musl", "-Copt-level=2"])
        .args(["-Cpanic=abort", "-Cstrip=symbols", "-o"])
        .args([&output, &input])
        .status();
    assert!(status.unwrap().success(), "rustc failed; is the musl target installed?");
    output
}

fn compile_go(directory: &Path) -> PathBuf {
    let (input, output) = (directory.join("main.go"), directory.join("go-echo"));
    fs::write(&input, GO_ECHO).unwrap();
    let status = Command::new(go_root().join("bin/go"))
        .args(["build", "-trimpath", "-ldflags=-s -w", "-o"])
        .args([&output, &input])
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", directory.join("cache"))
        .status();
    assert!(status.unwrap().success(), "go failed; make setup installs it");
    output
}

/// A call as a function's is: 128 MiB, two cores at most.
pub(crate) fn call(path: &Path) -> Program {
    Program {
        executable: Executable::File(Arc::new(File::open(path).unwrap().into())),
        args: Vec::new(),
        env: Vec::new(),
        stdin: INPUT.to_vec(),
        files: Vec::new(),
        collect: None,
        limits: Limits {
            wall_time: Duration::from_secs(10),
            cpu_time: Duration::from_secs(10),
            cpu_millicores: 1000,
            memory_bytes: 128 << 20,
            pids: 64,
            stdout_bytes: 1 << 20,
            stderr_bytes: 256 << 10,
            open_files: 256,
            file_bytes: 64 << 20,
            disk_bytes: 64 << 20,
            disk_inodes: 1024,
        },
    }
}
