//! What holds over several builds: the same bytes every time, nothing left behind, limits, cancelling.

use std::{fs, path::Path, time::Duration};

use compiler::{BuildLimits, BuildOutcome, FailureReason, Fetched, FunctionResult};
use sha2::{Digest, Sha256};
use shared::domain::SourceBundle;
use tokio_util::sync::CancellationToken;

use crate::common::{Workshop, binary, bundle, folder_source};

const GO: &str = "package main\n\nfunc Handler(n int) (int, error) { return n + 1, nil }\n";
const RUST: &str = "pub fn handler(n: i64) -> Result<i64, String> { Ok(n + 1) }\n";

fn go() -> SourceBundle {
    bundle(&[("handler.go", GO)])
}

fn rust() -> SourceBundle {
    bundle(&[("handler.rs", RUST)])
}

fn failure(outcome: BuildOutcome) -> (FailureReason, String) {
    match outcome {
        BuildOutcome::Failed(failure) => (failure.reason, failure.message),
        BuildOutcome::Built(_) => panic!("it was built"),
    }
}

#[tokio::test]
async fn the_same_source_gives_the_same_bytes() {
    let workshop = Workshop::open().await;
    let with_macro = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/rust_own_macro");
    let with_macro = folder_source(&with_macro);
    for (runtime, source) in [("go1.21", go()), ("rust", rust()), ("rust", with_macro)] {
        let first = binary(workshop.build(runtime, &source, BuildLimits::default()).await);
        let second = binary(workshop.build(runtime, &source, BuildLimits::default()).await);
        assert!(first == second, "{runtime}");
    }
    workshop.close().await;
}

#[tokio::test]
async fn a_build_that_writes_into_the_caches_changes_nothing_for_the_next() {
    let workshop = Workshop::open().await;
    let before = binary(workshop.build("rust", &rust(), BuildLimits::default()).await);
    // Overwrites every compiled crate it can reach, as a build script may.
    let poison = "use std::{fs, path::Path};
        fn main() { spoil(Path::new(\"/cache/rust/build\")); }
        fn spoil(path: &Path) {
            for entry in fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { spoil(&path) } else { fs::write(&path, \"spoiled\").unwrap() }
            }
        }";
    let manifest = "[package]\nname = \"poison\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
    let poisoned = bundle(&[("Cargo.toml", manifest), ("build.rs", poison), ("src/lib.rs", RUST)]);
    failure(workshop.build("rust", &poisoned, BuildLimits::default()).await);

    let after = binary(workshop.build("rust", &rust(), BuildLimits::default()).await);
    assert!(before == after);
    workshop.close().await;
}

/// Leaves a process behind that changes the last bytes of the finished program as fast as it can.
const RACER: &str =
    "use std::{env, fs::OpenOptions, io::{Seek, SeekFrom, Write}, process::{Command, Stdio}};
    fn main() {
        if env::args().nth(1).is_none() {
            let mut racer = Command::new(env::current_exe().unwrap());
            racer.arg(\"race\").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            racer.spawn().unwrap();
            return;
        }
        let program = \"/work/target/x86_64-unknown-linux-musl/release/racer\";
        for count in 0u64.. {
            let Ok(mut file) = OpenOptions::new().write(true).open(program) else { continue };
            let _ = file.seek(SeekFrom::End(-8)).and_then(|_| file.write_all(&count.to_le_bytes()));
        }
    }";

#[tokio::test]
async fn a_process_that_rewrites_the_artifact_is_dead_before_it_is_copied() {
    let workshop = Workshop::open().await;
    let manifest = "[package]\nname = \"racer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
    let main = "fn main() { println!(\"{}\", 7) }\n";
    let source = bundle(&[("Cargo.toml", manifest), ("build.rs", RACER), ("src/main.rs", main)]);
    for _ in 0..3 {
        let outcome = workshop.build("rust", &source, BuildLimits::default()).await;
        let BuildOutcome::Built(built) = outcome else { panic!("{outcome:#?}") };
        let artifact = built.artifact;
        assert_eq!(artifact.sha256, <[u8; 32]>::from(Sha256::digest(&artifact.bytes)));
        // What was hashed is what runs.
        let result = workshop.result(&artifact.bytes, "null").await;
        assert_eq!(result, FunctionResult::Completed { output: "7".into() });
    }
    workshop.close().await;
}

#[tokio::test]
async fn two_builds_at_once_do_not_meet() {
    let workshop = Workshop::open().await;
    let other = bundle(&[("handler.go", &GO.replace("n + 1", "n + 2"))]);
    let (go, other) = (go(), other);
    let (one, two) = tokio::join!(
        workshop.build("go1.21", &go, BuildLimits::default()),
        workshop.build("go1.21", &other, BuildLimits::default()),
    );
    for (built, expected) in [(one, "2"), (two, "3")] {
        let outcome = workshop.call(&binary(built), "1", &[]).await;
        assert_eq!(String::from_utf8_lossy(&outcome.stdout).trim(), expected);
    }
    workshop.close().await;
}

#[tokio::test]
async fn each_limit_names_itself() {
    let workshop = Workshop::open().await;
    let usual = BuildLimits::default();
    let wall = BuildLimits { wall_time: Duration::from_millis(50), ..usual };
    let (reason, message) = failure(workshop.build("rust", &rust(), wall).await);
    assert_eq!(reason, FailureReason::Timeout);
    assert!(message.starts_with("the build took longer than"), "{message}");

    let memory = BuildLimits { memory_bytes: 24 << 20, ..usual };
    let (reason, message) = failure(workshop.build("rust", &rust(), memory).await);
    assert_eq!(
        (reason, message.as_str()),
        (FailureReason::Oom, "the build needed more than 24 MiB of memory")
    );

    let size = BuildLimits { artifact_bytes: 1 << 20, ..usual };
    let (reason, message) = failure(workshop.build("go1.21", &go(), size).await);
    assert_eq!(reason, FailureReason::InvalidArtifact);
    assert!(message.contains("larger than 1 MiB"), "{message}");
    workshop.close().await;
}

/// Keeps the compiler busy until the build's limits.
const ENDLESS: &str = "#![allow(long_running_const_eval)]
    const ENDLESS: u64 = { let mut n = 0u64; while n < u64::MAX { n += 1 } n };
    pub fn handler(_: ()) -> Result<u64, String> { Ok(ENDLESS) }";

/// Compilers of a crate of this name on this machine, in sandboxes or not.
fn compilers_of(name: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let marker = format!("--crate-name\0{name}\0");
    lines.filter(|line| String::from_utf8_lossy(line).contains(&marker)).count()
}

#[tokio::test]
async fn a_cancelled_build_ends_while_its_compiler_runs() {
    let workshop = Workshop::open().await;
    let name = "cancelled_while_it_runs";
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n");
    let source = bundle(&[("Cargo.toml", &manifest), ("src/lib.rs", ENDLESS)]);
    let plan = workshop.compiler.plan("rust".parse().unwrap(), &source).unwrap();
    let cancel = CancellationToken::new();
    let (limits, nothing) = (BuildLimits::default(), Fetched::default());
    let build = workshop.compiler.build(&workshop.builds, &plan, nothing, limits, &cancel);
    let cancel_it = async {
        while compilers_of(name) == 0 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(build, cancel_it);
    assert_eq!(failure(outcome.unwrap()).0, FailureReason::Cancelled);
    // Killed with the build, and gone a moment later; left alone it would compile until the limits.
    while compilers_of(name) > 0 {
        tokio::task::yield_now().await;
    }
    workshop.close().await;
}

#[tokio::test]
async fn a_runtime_newer_than_installed_names_what_is_installed() {
    let workshop = Workshop::open().await;
    let refused = workshop.compiler.plan("go1.999".parse().unwrap(), &go()).unwrap_err();
    assert_eq!(refused.reason, FailureReason::NoToolchain);
    let expected = "runtime go1.999 needs Go ≥ 1.999; installed: go1.";
    assert!(refused.message.starts_with(expected), "{}", refused.message);
    workshop.close().await;
}
