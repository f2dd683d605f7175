//! Makes what every Rust build stands on: the libraries of the host that rustc itself needs, the
//! sources of the offered crates, the linker kit, and those crates compiled.

use std::{env, fs, os::unix::fs::symlink, path::Path, time::Duration};

use sandbox::{Conditions, InputFile, Tool, run_tool};

use super::{
    RustToolchain,
    layout::{
        self, BUILD_CACHE, BUILD_DIR, CARGO, LIBRARIES_DIR, LINKER_DIR, LINKER_KIT, LLD, RUSTC,
        SERVE_DIR, TARGET, VENDOR_DIR,
    },
    manifest, offered, plan,
};
use crate::{
    PrepareError,
    cache::{Use, open_to_builds},
    plan::file,
    warm::{WarmUp, at},
};

/// What rustc, cargo and the programs they build for the host load at run time.
const HOST_LIBRARIES: &[&str] = &[
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "libz.so.1",
];
const HOST_LIBRARY_PLACES: &[&str] =
    &["/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];

/// Versions and checksums of the offered crates.
const CRATES: &str = include_str!("template/crates/Cargo.toml");
pub(super) const CRATES_LOCK: &str = include_str!("template/crates/Cargo.lock");
/// The crate that speaks the protocol.
const SERVE_MANIFEST: &str = include_str!("template/serve/Cargo.toml");
const SERVE_CODE: &str = include_str!("template/serve/lib.rs");
const EXAMPLE: &str = include_str!("template/warm_up.rs");
const EXAMPLE_PROGRAM: &str = "fn main() {}\n";
const START: &str = include_str!("template/linker/start.rs");
const DSO_HANDLE: &str = include_str!("template/linker/dso_handle.rs");
const LD: &str = include_str!("template/linker/ld.rs");
/// All of it: other content makes another cache, and other artifacts.
pub(super) const PREPARED: &[&str] = &[
    CRATES,
    CRATES_LOCK,
    offered::INDEX,
    SERVE_MANIFEST,
    SERVE_CODE,
    EXAMPLE,
    START,
    DSO_HANDLE,
    LD,
];

/// Other names than any build uses, so that nothing of the example is ever taken for a build's own.
const EXAMPLE_CRATE: &str = "apprun_example";
const EXAMPLE_MAIN: &str = "apprun-example-main";

/// All that decides what a warm-up makes, besides the toolchain.
pub(crate) fn warm_up_inputs() -> Vec<String> {
    let mut inputs: Vec<_> = PREPARED.iter().map(|part| (*part).to_owned()).collect();
    inputs.extend(plan::build_args("main", EXAMPLE_MAIN));
    inputs.extend(plan::environment().into_iter().map(|(name, value)| format!("{name}={value}")));
    inputs
}

/// Fills `directory`. Fetches the offered crates over the network, once, with the operator's own
/// cargo settings.
pub(crate) async fn warm_up(
    toolchain: &RustToolchain,
    directory: &Path,
    conditions: &Conditions,
) -> Result<(), PrepareError> {
    let [libraries, vendor, linker, build] =
        [LIBRARIES_DIR, VENDOR_DIR, LINKER_DIR, BUILD_DIR].map(|name| directory.join(name));
    copy_host_libraries(&libraries)?;
    fetch_crates(toolchain, directory, &vendor).await?;
    offered::pack(&vendor, directory)?;
    write_files(
        &directory.join(SERVE_DIR),
        &[("Cargo.toml", SERVE_MANIFEST), ("lib.rs", SERVE_CODE)],
    )?;
    let mut binds = toolchain.binds();
    binds.extend(layout::read_only_binds(directory));
    let writable = [(linker.as_path(), LINKER_KIT), (build.as_path(), BUILD_CACHE)];
    let links = layout::library_links();
    let warm_up = WarmUp::start("rust-warm-up", binds, links, &writable, conditions).await?;
    make_linker_kit(&warm_up).await?;
    for (folder, binary, files) in [
        ("main", EXAMPLE_MAIN, example("lib", EXAMPLE)),
        // Without the generated main, some crates have other features.
        ("source", EXAMPLE_CRATE, example("[bin]", EXAMPLE_PROGRAM)),
    ] {
        let args = plan::build_args(folder, binary);
        warm_up.run(CARGO, args, plan::environment(), files).await?;
    }
    warm_up.finish().await;
    let leave = |_: &fs::File| Ok(());
    open_to_builds(&linker, Use::Read, &leave).map_err(at(&linker))?;
    open_to_builds(&build, Use::Overlay, &leave).map_err(at(&build))
}

/// Copies, so that an upgrade of the host cannot change half of them under a running build.
fn copy_host_libraries(libraries: &Path) -> Result<(), PrepareError> {
    fs::create_dir(libraries).map_err(at(libraries))?;
    for name in HOST_LIBRARIES {
        let mut places = HOST_LIBRARY_PLACES.iter().map(|place| Path::new(place).join(name));
        let found = places.find(|path| path.exists()).ok_or(PrepareError::HostLibrary { name })?;
        fs::copy(&found, libraries.join(name)).map_err(at(&found))?;
        // `libc.so`: the name under which a linker looks for it.
        let plain = name.split_once(".so").map_or(*name, |(stem, _)| stem);
        symlink(name, libraries.join(format!("{plain}.so"))).map_err(at(libraries))?;
    }
    // Debian's loader looks in /lib/x86_64-linux-gnu, which the image links to this very folder.
    symlink(".", libraries.join("x86_64-linux-gnu")).map_err(at(libraries))
}

async fn fetch_crates(
    toolchain: &RustToolchain,
    directory: &Path,
    vendor: &Path,
) -> Result<(), PrepareError> {
    let project = directory.join("project");
    let files = [("Cargo.toml", CRATES), ("Cargo.lock", CRATES_LOCK), ("lib.rs", "")];
    write_files(&project, &files)?;
    let output = run_tool(Tool {
        executable: toolchain.root.join("bin/cargo"),
        args: ["vendor", "--locked", "--versioned-dirs", "--quiet", "--manifest-path"]
            .map(str::to_owned)
            .into_iter()
            .chain([project.join("Cargo.toml").display().to_string()])
            .chain([vendor.display().to_string()])
            .collect(),
        env: fetch_environment(toolchain),
        directory: project.clone(),
        deadline: Duration::from_secs(300),
        output_bytes: 64 * 1024,
    })
    .await?;
    if output.status != Some(0) {
        let log = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(PrepareError::FetchCrates { log });
    }
    fs::remove_dir_all(&project).map_err(at(&project))
}

/// The operator's own network settings, and nothing else of the environment.
fn fetch_environment(toolchain: &RustToolchain) -> Vec<(String, String)> {
    const PASSED_ON: &[&str] = &[
        "HOME",
        "CARGO_HOME",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    let passed_on =
        PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), env::var(name).ok()?)));
    let bin = toolchain.root.join("bin");
    let own = [("PATH", bin.clone()), ("RUSTC", bin.join("rustc"))];
    let own = own.map(|(name, path)| (name.to_owned(), path.display().to_string()));
    passed_on.chain(own).collect()
}

fn write_files(folder: &Path, files: &[(&str, &str)]) -> Result<(), PrepareError> {
    fs::create_dir(folder).map_err(at(folder))?;
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).map_err(at(&path))?;
    }
    Ok(())
}

/// A crate like an author's, and the generated main.
fn example(kind: &str, code: &str) -> Vec<InputFile> {
    let manifest = manifest::for_source(EXAMPLE_CRATE, kind, "handler.rs");
    let mut files = vec![
        file("source/Cargo.toml", manifest),
        file("source/handler.rs", code),
        file(".cargo/config.toml", manifest::cargo_config()),
    ];
    files.extend(plan::main_crate(EXAMPLE_MAIN, EXAMPLE_CRATE, ""));
    files
}

async fn make_linker_kit(warm_up: &WarmUp) -> Result<(), PrepareError> {
    let parts = [
        ("start.rs", START, "rlib", None),
        ("dso_handle.rs", DSO_HANDLE, "rlib", None),
        ("ld.rs", LD, "bin", Some(TARGET)),
    ];
    for (name, code, kind, target) in parts {
        let mut args = vec!["--edition=2024", "-O", "-Cstrip=symbols", "--crate-type", kind];
        args.extend(["--out-dir", LINKER_KIT, name]);
        let linker = format!("-Clinker={LLD}");
        if let Some(target) = target {
            args.extend(["--target", target, &linker]);
        }
        let args = args.into_iter().map(str::to_owned).collect();
        warm_up.run(RUSTC, args, plan::environment(), vec![file(name, code)]).await?;
    }
    Ok(())
}
