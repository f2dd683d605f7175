//! Finds an installed Rust that can build static binaries, without rustup's shims.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sandbox::{Access, Bind, Tool, run_tool};

use super::layout::{HOST, ROOT, TARGET};

/// An installed Rust that can build for musl.
#[derive(Debug, Clone)]
pub(crate) struct RustToolchain {
    pub(crate) root: PathBuf,
    /// First line of `rustc -vV`.
    pub(crate) version: String,
    /// All of `rustc -vV`: compiled crates fit exactly this one.
    pub(crate) identity: String,
}

/// The newest complete one.
pub(crate) async fn discover(
    roots: &[PathBuf],
    unusable: &mut Vec<String>,
) -> Option<RustToolchain> {
    let mut found = Vec::new();
    for root in roots.iter().filter(|root| root.join("bin/rustc").exists()) {
        // A distribution's Rust, or a folder with rustup's shims, is no toolchain of rustup's form.
        if !root.join("lib/rustlib").join(HOST).is_dir() {
            continue;
        }
        match inspect(root).await {
            Ok(toolchain) => found.push(toolchain),
            Err(reason) => unusable.push(format!("Rust at {} {reason}", root.display())),
        }
    }
    found.into_iter().max_by_key(|toolchain| release(&toolchain.version))
}

async fn inspect(root: &Path) -> Result<RustToolchain, String> {
    let library = root.join("lib/rustlib");
    if !library.join(TARGET).join("lib").is_dir() {
        return Err(format!("lacks the target {TARGET}: run `rustup target add {TARGET}`"));
    }
    for part in ["bin/cargo", &format!("lib/rustlib/{HOST}/bin/rust-lld")] {
        if !root.join(part).exists() {
            return Err(format!("is not complete: {part} is missing"));
        }
    }
    let identity = ask_version(root).await?;
    let version = identity.lines().next().unwrap_or_default().to_owned();
    match release(&version) {
        // Intermediate files can be kept apart from results since then.
        Some(release) if release >= (1, 91, 0) => {
            Ok(RustToolchain { root: root.to_owned(), version, identity })
        }
        Some(_) => Err(format!("is {version}; 1.91 or newer is needed")),
        None => Err(format!("has an unknown version: {version:?}")),
    }
}

async fn ask_version(root: &Path) -> Result<String, String> {
    let output = run_tool(Tool {
        executable: root.join("bin/rustc"),
        args: vec!["-vV".into()],
        env: Vec::new(),
        directory: "/".into(),
        deadline: Duration::from_secs(20),
        output_bytes: 4096,
    })
    .await
    .map_err(|error| format!("does not run: failed to {error}"))?;
    match output.status {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        _ => Err(format!("does not run: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// The numbers in `rustc 1.95.0 (59807616e 2026-04-14)`.
fn release(version: &str) -> Option<(u16, u16, u16)> {
    let numbers = version.split(' ').nth(1)?.split('-').next()?;
    let mut numbers = numbers.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

impl RustToolchain {
    pub(crate) fn binds(&self) -> Vec<Bind> {
        vec![Bind { source: self.root.clone(), target: ROOT.into(), access: Access::ReadOnly }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(release("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95, 0)));
        assert_eq!(release("rustc 1.100.0-nightly (x)"), Some((1, 100, 0)));
        assert!(release("rustc 1.100.0 (x)") > release("rustc 1.95.0 (x)"));
        assert_eq!(release("something else"), None);
    }
}
