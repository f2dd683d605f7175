//! Prints how long one-file builds take in the sandbox, beside the plain local toolchain on the same
//! source in the same run. Every build compiles a source never seen before.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use compiler::{BuildLimits, BuildOutcome, Compiler, Places, Toolchains};
use sandbox::{Options, Sandbox, Tool, run_tool};
use shared::domain::{Runtime, SourceBundle, SourceLimits};
use tokio_util::sync::CancellationToken;

const ROUNDS: u32 = 15;
const GO: &str = include_str!("../../examples/functions/go-hello/handler.go");
const RUST: &str = include_str!("../../examples/functions/rust-order/handler.rs");
/// What the local go builds: the same handler with the least main one could write.
const GO_MAIN: &str = "package main\n\nimport (\"encoding/json\"; \"os\")\n\nfunc main() {\n\
    \tvar in map[string]interface{}\n\tjson.NewDecoder(os.Stdin).Decode(&in)\n\
    \tout, _ := Handler(in)\n\tjson.NewEncoder(os.Stdout).Encode(out)\n}\n";
const RUST_MAIN: &str = "\nfn main() {\n    let input = serde_json::from_reader(std::io::stdin()).unwrap();\n\
    \x20   let Ok(output) = handler(input) else { std::process::exit(1) };\n\
    \x20   serde_json::to_writer(std::io::stdout(), &output).unwrap();\n}\n";
const MANIFEST: &str = "[package]\nname = \"local\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n[workspace]\n";

fn main() {
    sandbox::become_spawner_if_asked();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run()).expect("toolchains and a sandbox");
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let toolchains = Toolchains::discover(&Places::from_environment()).await;
    println!("{toolchains}, {ROUNDS} builds each, milliseconds");
    let root = |language| {
        let found = toolchains.installed().into_iter().find(|found| found.language == language);
        found.map(|found| PathBuf::from(found.root)).ok_or("both toolchains are needed")
    };
    let (go_root, rust_root) = (root("go")?, root("rust")?);
    let scratch = tempfile::tempdir()?;
    let started = Instant::now();
    let cold_cache = scratch.path().join("cache");
    let compiler = Compiler::prepare(toolchains, &cold_cache).await?;
    println!("{:<34}{:>8.0}", "warm-up of both, once per machine", millis(started.elapsed()));
    let options = Options { slots: 2, primed: 0, ..Options::new(compiler.image()) };
    let builds = Sandbox::start(options).await?;

    let local = local_go(&go_root, scratch.path()).await?;
    let ours = sandboxed(&compiler, &builds, Runtime::Go { minor: 21 }, GO).await?;
    report("go", local, ours);
    let local = local_rust(&rust_root, scratch.path()).await?;
    let ours = sandboxed(&compiler, &builds, Runtime::Rust, RUST).await?;
    report("rust", local, ours);
    builds.stop().await;
    Ok(())
}

async fn sandboxed(
    compiler: &Compiler,
    builds: &Sandbox,
    runtime: Runtime,
    code: &str,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        let limits = SourceLimits { files: 1, total_bytes: 1 << 20 };
        let source = SourceBundle::from_text(runtime, &changed(code, round), limits)?;
        let started = Instant::now();
        let plan = compiler.plan(runtime, &source).map_err(|failure| failure.message)?;
        let cancel = CancellationToken::new();
        let outcome = compiler.build(builds, &plan, BuildLimits::default(), &cancel).await?;
        times.push(started.elapsed());
        if let BuildOutcome::Failed(failure) = outcome {
            return Err(failure.message.into());
        }
    }
    Ok(median(times))
}

async fn local_go(root: &Path, scratch: &Path) -> Result<Duration, Box<dyn std::error::Error>> {
    let project = scratch.join("go");
    std::fs::create_dir(&project)?;
    std::fs::write(project.join("go.mod"), "module local\n\ngo 1.21\n")?;
    std::fs::write(project.join("main.go"), GO_MAIN)?;
    let args = ["build", "-trimpath", "-ldflags=-s -w", "-o", "out", "."];
    let env = [("GOCACHE", scratch.join("gocache")), ("HOME", scratch.to_owned())];
    let mut env: Vec<_> = env.map(|(name, path)| (name.into(), path.display().to_string())).into();
    env.push(("CGO_ENABLED".into(), "0".into()));
    time_tool(&root.join("bin/go"), &args, &env, &project, "handler.go", GO).await
}

async fn local_rust(root: &Path, scratch: &Path) -> Result<Duration, Box<dyn std::error::Error>> {
    let project = scratch.join("rust");
    std::fs::create_dir_all(project.join("src"))?;
    std::fs::write(project.join("Cargo.toml"), MANIFEST)?;
    let args = ["build", "--release", "--target", "x86_64-unknown-linux-musl"];
    let mut env: Vec<_> = std::env::vars().filter(|(name, _)| !name.starts_with("CARGO")).collect();
    env.push(("RUSTC".into(), root.join("bin/rustc").display().to_string()));
    let code = format!("{RUST}{RUST_MAIN}");
    time_tool(&root.join("bin/cargo"), &args, &env, &project, "src/main.rs", &code).await
}

/// The first, cold build does not count.
async fn time_tool(
    executable: &Path,
    args: &[&str],
    env: &[(String, String)],
    project: &Path,
    file: &str,
    code: &str,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut times = Vec::new();
    for round in 0..=ROUNDS {
        std::fs::write(project.join(file), changed(code, round))?;
        let tool = Tool {
            executable: executable.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.to_vec(),
            directory: project.to_owned(),
            deadline: Duration::from_secs(300),
            output_bytes: 1 << 16,
        };
        let started = Instant::now();
        let output = run_tool(tool).await?;
        times.push(started.elapsed());
        if output.status != Some(0) {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    Ok(median(times))
}

/// Another source for the compiler: a string in it differs.
fn changed(code: &str, round: u32) -> String {
    code.replace("name is missing", &format!("name is missing {round}"))
        .replace("has no items", &format!("has no items {round}"))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.remove(0);
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn report(language: &str, local: Duration, ours: Duration) {
    println!("{:<34}{:>8.0}", format!("{language}: local toolchain, warm, p50"), millis(local));
    let ratio = ours.as_secs_f64() / local.as_secs_f64();
    let label = format!("{language}: in the sandbox, p50");
    println!("{label:<34}{:>8.0}   ratio {ratio:.2}", millis(ours));
}
