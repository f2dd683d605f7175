//! What operators are given: the files in `docker/`, and what they rely on.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod files;
mod logs;
mod memory;
mod metrics;
mod plans;
mod readiness;
mod scripts;

use std::path::{Path, PathBuf};

/// A file or folder of `docker/`.
fn docker(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(docker(name)).unwrap_or_else(|error| panic!("docker/{name}: {error}"))
}

/// Every file in a folder of `docker/`, with its text.
fn read_all(folder: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(docker(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| format!("{folder}/{name}")).map(|name| (name.clone(), read(&name))).collect()
}
