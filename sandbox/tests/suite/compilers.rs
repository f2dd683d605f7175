//! Compilers run in the build profile: tools visible, nothing else, one file taken out.

use std::{io::Read, path::PathBuf, time::Duration};

use sandbox::{
    Access, Bind, Collect, Ended, Executable, HOME_DIR, Image, InputFile, Limits, Options, Outcome,
    Profile, Program, Sandbox,
};

use crate::common::{go_root, limits, run, rust_root};

fn build_limits() -> Limits {
    Limits {
        wall_time: Duration::from_secs(120),
        cpu_time: Duration::from_secs(240),
        cpu_millicores: 2000,
        memory_bytes: 2 << 30,
        pids: 128,
        open_files: 1024,
        file_bytes: 256 << 20,
        disk_bytes: 1536 << 20,
        disk_inodes: 100_000,
        ..limits()
    }
}

fn read_only(source: impl Into<PathBuf>, target: &str) -> Bind {
    Bind { source: source.into(), target: target.into(), access: Access::ReadOnly }
}

fn image() -> Image {
    let mut binds: Vec<Bind> = ["bin", "lib", "lib64", "libexec", "include"]
        .iter()
        .map(|name| read_only(format!("/usr/{name}"), &format!("/usr/{name}")))
        .filter(|bind| bind.source.exists())
        .collect();
    binds.push(read_only(go_root(), "/go"));
    binds.push(read_only(rust_root(), "/rust"));
    let links = [("usr/bin", "/bin"), ("usr/lib", "/lib"), ("usr/lib64", "/lib64")];
    Image {
        name: "tools".into(),
        binds,
        links: links.iter().map(|(target, link)| (target.into(), link.into())).collect(),
        overlays: Vec::new(),
        profile: Profile::Build,
        ..Image::empty()
    }
}

async fn start() -> Sandbox {
    Sandbox::start(Options { slots: 2, primed: 0, ..Options::new(image()) }).await.unwrap()
}

fn build(tool: &str, args: &[&str], env: &[(&str, &str)], files: &[(&str, &str)]) -> Program {
    let file = |(path, content): &(&str, &str)| InputFile {
        path: (*path).into(),
        content: (*content).into(),
    };
    Program {
        executable: Executable::InImage(tool.into()),
        args: args.iter().map(|arg| (*arg).into()).collect(),
        env: env
            .iter()
            .chain(&[("HOME", HOME_DIR), ("PATH", "/usr/bin")])
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        stdin: Vec::new(),
        files: files.iter().map(file).collect(),
        collect: Some(Collect { path: "out/hello".into(), max_bytes: 64 << 20 }),
        limits: build_limits(),
    }
}

fn assert_is_elf(outcome: Outcome) {
    let log = String::from_utf8_lossy(&outcome.stderr).into_owned();
    assert_eq!(outcome.ended, Ended::Exited(0), "{log}");
    let mut head = [0; 4];
    outcome.collected.expect(&log).read_exact(&mut head).unwrap();
    assert_eq!(&head, b"\x7fELF");
}

#[tokio::test]
async fn go_builds_a_program() {
    let sandbox = start().await;
    let env = [("GOCACHE", "/work/.cache"), ("GOROOT", "/go"), ("CGO_ENABLED", "0")];
    let files = [
        ("go.mod", "module hello\ngo 1.21\n"),
        ("main.go", "package main\nfunc main() { println(\"hello\") }\n"),
    ];

    let outcome =
        run(&sandbox, build("/go/bin/go", &["build", "-o", "out/hello"], &env, &files)).await;

    assert_is_elf(outcome);
    sandbox.stop().await;
}

#[tokio::test]
async fn cargo_builds_a_program_with_a_build_script() {
    let sandbox = start().await;
    let env = [("RUSTC", "/rust/bin/rustc"), ("CARGO_HOME", "/home/.cargo")];
    let files = [
        ("Cargo.toml", "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
        ("build.rs", "fn main() { println!(\"cargo:rustc-env=MADE=yes\"); }\n"),
        ("src/main.rs", "fn main() { println!(\"{}\", env!(\"MADE\")); }\n"),
    ];
    let script = "/rust/bin/cargo build --offline && mkdir out && cp target/debug/hello out/";
    let mut program = build("/usr/bin/sh", &["-c", script], &env, &files);
    program
        .env
        .push(("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER".into(), "/usr/bin/gcc".into()));

    let outcome = run(&sandbox, program).await;

    assert_is_elf(outcome);
    sandbox.stop().await;
}

/// Everything a runtime does that a filter could break.
const BUSY_GO: &str = r#"package main

import ("fmt"; "os"; "runtime"; "runtime/debug"; "sync"; "time")

func main() {
	var group sync.WaitGroup
	sums := make(chan int, 100)
	for n := 0; n < 100; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 3; i++ { runtime.Gosched(); time.Sleep(time.Millisecond) }
			sums <- n
		}()
	}
	group.Wait()
	close(sums)
	total := 0
	for n := range sums { total += n }
	ticker := time.NewTicker(time.Millisecond)
	<-ticker.C
	ticker.Stop()
	func() {
		defer func() { recover() }()
		var nothing map[string]int
		nothing["x"] = 1
	}()
	func() {
		defer func() { recover() }()
		var nobody *int
		*nobody = 1
	}()
	var heap [][]byte
	for n := 0; n < 40; n++ { heap = append(heap, make([]byte, 1<<20)) ; heap[n][n] = 1 }
	heap = nil
	debug.FreeOSMemory()
	if err := os.WriteFile("/tmp/file", []byte("content"), 0o600); err != nil { panic(err) }
	content, err := os.ReadFile("/tmp/file")
	if err != nil { panic(err) }
	names, err := os.ReadDir("/tmp")
	if err != nil { panic(err) }
	runtime.LockOSThread()
	spin := time.Now()
	for time.Since(spin) < 30*time.Millisecond {}
	reader, writer, err := os.Pipe()
	if err != nil { panic(err) }
	go func() { writer.Write([]byte("x")); writer.Close() }()
	reader.Read(make([]byte, 1))
	fmt.Println(total, string(content), len(names), runtime.NumGoroutine() > 0)
}
"#;

#[tokio::test]
async fn a_busy_go_program_runs_under_the_narrow_filter() {
    let builder = start().await;
    let env = [("GOCACHE", "/work/.cache"), ("GOROOT", "/go"), ("CGO_ENABLED", "0")];
    let files = [("go.mod", "module busy\ngo 1.22\n"), ("main.go", BUSY_GO)];
    let program = build("/go/bin/go", &["build", "-o", "out/hello"], &env, &files);
    let outcome = run(&builder, program).await;
    assert_eq!(outcome.ended, Ended::Exited(0), "{}", String::from_utf8_lossy(&outcome.stderr));
    let binary = executable(outcome.collected.unwrap());
    builder.stop().await;
    let sandbox = crate::common::start().await;
    let mut program = crate::common::attack("unused");
    program.executable = Executable::File(binary);
    program.limits.memory_bytes = 128 << 20;
    program.limits.pids = 64;

    let outcome = run(&sandbox, program).await;

    assert_eq!(crate::common::text(outcome), "4950 content 1 true\n");
    crate::common::assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

/// A copy that lies on a disk, cannot be written any more, and may be executed.
fn executable(mut file: std::fs::File) -> std::sync::Arc<std::os::fd::OwnedFd> {
    let mut copy = tempfile::NamedTempFile::new().unwrap();
    std::io::copy(&mut file, &mut copy).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o555);
    copy.as_file().set_permissions(mode).unwrap();
    let path = copy.into_temp_path();
    std::sync::Arc::new(std::fs::File::open(&path).unwrap().into())
}
