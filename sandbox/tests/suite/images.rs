//! What a build sees of its image, what it may write, and what is taken out of it.

use std::{
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use sandbox::{
    Access, Bind, Collect, Ended, Image, InputFile, KillReason, Options, Outcome, Overlay, Profile,
    Program, Sandbox,
};
use tempfile::TempDir;

use crate::common::{assert_nothing_left, attack, results, run, text};

fn image(binds: Vec<Bind>, overlays: Vec<Overlay>) -> Image {
    Image { name: "test".into(), binds, overlays, profile: Profile::Build, ..Image::empty() }
}

fn bind(source: &Path, target: &str, access: Access) -> Bind {
    Bind { source: source.into(), target: target.into(), access }
}

async fn start(image: Image) -> Sandbox {
    Sandbox::start(Options { slots: 1, primed: 0, ..Options::new(image) }).await.unwrap()
}

/// A build that leaves something at `out` and wants it collected.
fn build(attack_name: &str) -> Program {
    let mut program = attack(attack_name);
    program.collect = Some(Collect { path: "out".into(), max_bytes: 1000 });
    program
}

async fn build_alone(program: Program) -> Outcome {
    let sandbox = start(image(Vec::new(), Vec::new())).await;
    let outcome = run(&sandbox, program).await;
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
    outcome
}

#[tokio::test]
async fn files_are_laid_out_and_one_is_taken_out() {
    let mut program = build("copy-file a/b/in out");
    program.files = vec![
        InputFile { path: "a/b/in".into(), content: b"content".to_vec() },
        InputFile { path: "big".into(), content: vec![1; 3 << 20] },
    ];

    let outcome = build_alone(program).await;

    assert_eq!(outcome.ended, Ended::Exited(0));
    let mut collected = String::new();
    outcome.collected.unwrap().read_to_string(&mut collected).unwrap();
    assert_eq!(collected, "content");
}

#[tokio::test]
async fn what_is_not_a_plain_small_file_is_not_taken_out() {
    for kind in ["symlink", "hard-link", "fifo", "directory", "sparse", "missing", "device-link"] {
        let outcome = build_alone(build(&format!("leave-artifact {kind}"))).await;

        assert_eq!(outcome.ended, Ended::Exited(0), "{kind}");
        assert!(outcome.collected.is_none(), "{kind}");
    }
    assert!(build_alone(build("leave-artifact file")).await.collected.is_some());
    let mut through_link = build("leave-artifact linked-directory");
    through_link.collect = Some(Collect { path: "linked/file".into(), max_bytes: 1000 });
    assert!(build_alone(through_link).await.collected.is_none());
}

#[tokio::test]
async fn a_file_is_taken_out_when_nobody_is_left_who_could_change_it() {
    let outcome = build_alone(build("hold-lease")).await;

    assert_eq!(outcome.stdout, b"held\n");
    // None if it had been opened while the holder of the lease was alive.
    let mut collected = String::new();
    outcome.collected.expect("taken out").read_to_string(&mut collected).unwrap();
    assert_eq!(collected, "honest");
}

#[tokio::test]
async fn nobody_changes_the_file_after_it_was_taken_out() {
    let outcome = build_alone(build("rewrite-in-background")).await;

    assert_eq!(outcome.ended, Ended::Exited(0));
    let mut file = outcome.collected.unwrap();
    let mut first = String::new();
    file.read_to_string(&mut first).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    std::io::Seek::rewind(&mut file).unwrap();
    let mut second = String::new();
    file.read_to_string(&mut second).unwrap();
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_build_sees_its_image_and_nothing_else_of_the_host() {
    let tools = TempDir::new().unwrap();
    fs::write(tools.path().join("tool"), "x").unwrap();
    let sandbox =
        start(image(vec![bind(tools.path(), "/opt/tools", Access::ReadOnly)], Vec::new())).await;
    let mut look = attack("dir-list");
    look.args.push("/".into());

    let listing = text(run(&sandbox, look).await);
    let paths = "host-files /opt/tools/tool /etc /usr /root /run /sys /slot/work /proc/1 /proc/sys \
                 /proc/meminfo /proc/self/exe";
    let found = results(run(&sandbox, attack(paths)).await);

    assert_eq!(listing, "[\"dev\", \"home\", \"opt\", \"proc\", \"slot\", \"tmp\", \"work\"]\n");
    for (path, result) in found {
        let expected = matches!(path.as_str(), "/opt/tools/tool" | "/proc/self/exe");
        assert_eq!(result, if expected { "found" } else { "2" }, "{path}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_bind_is_writable_only_when_it_says_so() {
    let cache = TempDir::new().unwrap();
    fs::set_permissions(cache.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let sandbox =
        start(image(vec![bind(cache.path(), "/cache", Access::ReadOnly)], Vec::new())).await;
    let outcome = run(&sandbox, attack("write-file /cache/new")).await;
    assert_eq!(text(outcome), "30\n", "EROFS");
    sandbox.stop().await;

    fs::set_permissions(cache.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let sandbox =
        start(image(vec![bind(cache.path(), "/cache", Access::Writable)], Vec::new())).await;
    chown(cache.path(), Some(sandbox.slot_uid(0)), None).unwrap();
    assert_eq!(text(run(&sandbox, attack("write-file /cache/new")).await), "written\n");
    sandbox.stop().await;
    assert_eq!(fs::read_to_string(cache.path().join("new")).unwrap(), "written");
}

#[tokio::test]
async fn an_overlay_is_private_to_each_run() {
    let cache = TempDir::new().unwrap();
    fs::set_permissions(cache.path(), PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(cache.path().join("shared"), "from the host").unwrap();
    let overlay = Overlay { lower: "/lower".into(), target: "/cache".into() };
    let sandbox =
        start(image(vec![bind(cache.path(), "/lower", Access::ReadOnly)], vec![overlay])).await;

    for _ in 0..2 {
        let before = results(run(&sandbox, attack("host-files /cache/shared /cache/new")).await);
        assert_eq!((&*before["/cache/shared"], &*before["/cache/new"]), ("found", "2"));
        assert_eq!(text(run(&sandbox, attack("write-file /cache/new")).await), "written\n");
    }
    assert!(!cache.path().join("new").exists());
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_build_cannot_leave_either() {
    let sandbox = start(image(Vec::new(), Vec::new())).await;

    let fatal = results(run(&sandbox, attack("fatal-calls")).await);
    assert!(fatal.values().all(|result| result == "signal 31"), "{fatal:?}");
    let network = results(run(&sandbox, attack("network")).await);
    assert!(network.iter().all(|(name, result)| name == "unix-pair" || result == "EPERM"));
    let mut listing = attack("dir-list");
    listing.args.push("/proc".into());
    let listing = text(run(&sandbox, listing).await);
    assert!(listing.contains("\"2\"") && !listing.contains("\"1\""), "{listing}");

    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_build_is_held_by_its_limits_too() {
    let sandbox = start(image(Vec::new(), Vec::new())).await;
    let limited = |name: &str| {
        let mut program = build(name);
        program.limits.wall_time = std::time::Duration::from_millis(700);
        program.limits.pids = 64;
        program
    };

    let bomb = run(&sandbox, limited("stubborn-fork-bomb")).await;
    let expected = [KillReason::Timeout, KillReason::OutOfMemory].map(Ended::Killed);
    assert!(expected.contains(&bomb.ended), "{:?}", bomb.ended);
    assert!(bomb.collected.is_none());
    let full = run(&sandbox, limited("fill-disk")).await;
    assert_eq!(full.ended, Ended::Killed(KillReason::DiskLimit));
    let daemons = run(&sandbox, limited("daemons 12")).await;
    assert_eq!(daemons.ended, Ended::Exited(0));

    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}
