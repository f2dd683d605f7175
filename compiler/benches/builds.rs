//! Prints how long one-file builds take in the sandbox, beside the plain local toolchain on the same
//! source in the same run. Every build compiles a source never seen before.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use compiler::{BuildLimits, BuildOutcome, Compiler, Fetched, Fetches, Places, Toolchains};
use sandbox::{Conditions, Options, Sandbox, Tool, run_tool};
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

type Failure = Box<dyn std::error::Error>;

fn main() {
    sandbox::become_spawner_if_asked();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run()).expect("toolchains and a sandbox");
}

async fn run() -> Result<(), Failure> {
    let toolchains = Toolchains::discover(&Places::from_environment()).await;
    println!("{toolchains}, {ROUNDS} builds each, milliseconds");
    let root = |language| {
        let found = toolchains.installed().into_iter().find(|found| found.language == language);
        found.map(|found| PathBuf::from(found.root)).ok_or("both toolchains are needed")
    };
    let (go_root, rust_root) = (root("go")?, root("rust")?);
    let scratch = tempfile::tempdir()?;
    let started = Instant::now();
    let compiler = Compiler::prepare(
        toolchains,
        &scratch.path().join("cache"),
        Fetches::default(),
        &Conditions::default(),
    )
    .await;
    println!("{:<34}{:>8.0}", "warm-up of both, once per machine", millis(started.elapsed()));
    let options = Options { slots: 2, primed: 0, ..Options::new(compiler.image()) };
    let builds = Sandbox::start(options).await?;
    let ours = Ours { compiler, builds };
    let local = local_go(&go_root, scratch.path())?;
    compare("go", Runtime::Go { minor: 21 }, GO, &local, &ours).await?;
    let local = local_rust(&rust_root, scratch.path())?;
    compare("rust", Runtime::Rust, RUST, &local, &ours).await?;
    ours.builds.stop().await;
    Ok(())
}

/// Takes turns, so that a busy machine slows both. The first, cold round does not count.
async fn compare(
    language: &str,
    runtime: Runtime,
    code: &str,
    local: &Local,
    ours: &Ours,
) -> Result<(), Failure> {
    let (mut plain, mut sandboxed) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let code = changed(code, round);
        plain.push(local.build(&code).await?);
        sandboxed.push(ours.build(runtime, &code).await?);
    }
    let (plain, sandboxed) = (median(plain), median(sandboxed));
    println!("{:<34}{:>8.0}", format!("{language}: local toolchain, warm, p50"), millis(plain));
    let ratio = sandboxed.as_secs_f64() / plain.as_secs_f64();
    let label = format!("{language}: in the sandbox, p50");
    println!("{label:<34}{:>8.0}   ratio {ratio:.2}", millis(sandboxed));
    Ok(())
}

/// The way of a worker.
struct Ours {
    compiler: Compiler,
    builds: Sandbox,
}

impl Ours {
    async fn build(&self, runtime: Runtime, code: &str) -> Result<Duration, Failure> {
        let limits = SourceLimits { files: 1, total_bytes: 1 << 20 };
        let source = SourceBundle::from_text(runtime, code, limits)?;
        let started = Instant::now();
        let plan = self.compiler.plan(runtime, &source).map_err(|failure| failure.message)?;
        let (limits, cancel) = (BuildLimits::default(), CancellationToken::new());
        match self.compiler.build(&self.builds, &plan, Fetched::default(), limits, &cancel).await? {
            BuildOutcome::Built(_) => Ok(started.elapsed()),
            BuildOutcome::Failed(failure) => Err(failure.message.into()),
        }
    }
}

/// The plain toolchain in a project of its own.
struct Local {
    tool: Tool,
    file: PathBuf,
    main: &'static str,
}

fn local_go(root: &Path, scratch: &Path) -> Result<Local, Failure> {
    let project = scratch.join("go");
    std::fs::create_dir(&project)?;
    std::fs::write(project.join("go.mod"), "module local\n\ngo 1.21\n")?;
    std::fs::write(project.join("main.go"), GO_MAIN)?;
    let env = [("GOCACHE", scratch.join("gocache")), ("HOME", scratch.to_owned())];
    let mut env: Vec<_> = env.map(|(name, path)| (name.into(), path.display().to_string())).into();
    env.push(("CGO_ENABLED".into(), "0".into()));
    let args = ["build", "-trimpath", "-ldflags=-s -w", "-o", "out", "."];
    let tool = tool(root.join("bin/go"), &args, env, &project);
    Ok(Local { tool, file: project.join("handler.go"), main: "" })
}

fn local_rust(root: &Path, scratch: &Path) -> Result<Local, Failure> {
    let project = scratch.join("rust");
    std::fs::create_dir_all(project.join("src"))?;
    std::fs::write(project.join("Cargo.toml"), MANIFEST)?;
    let mut env: Vec<_> = std::env::vars().filter(|(name, _)| !name.starts_with("CARGO")).collect();
    env.push(("RUSTC".into(), root.join("bin/rustc").display().to_string()));
    let args = ["build", "--release", "--target", "x86_64-unknown-linux-musl"];
    let tool = tool(root.join("bin/cargo"), &args, env, &project);
    Ok(Local { tool, file: project.join("src/main.rs"), main: RUST_MAIN })
}

fn tool(executable: PathBuf, args: &[&str], env: Vec<(String, String)>, project: &Path) -> Tool {
    Tool {
        executable,
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env,
        directory: project.to_owned(),
        deadline: Duration::from_secs(300),
        output_bytes: 1 << 16,
    }
}

impl Local {
    async fn build(&self, code: &str) -> Result<Duration, Failure> {
        std::fs::write(&self.file, format!("{code}{}", self.main))?;
        let started = Instant::now();
        let output = run_tool(self.tool.clone()).await?;
        match output.status {
            Some(0) => Ok(started.elapsed()),
            _ => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }
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
