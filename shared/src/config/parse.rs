//! Texts into values: each parser says what is allowed when it refuses.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{ArtifactLocation, Secret};

/// HS256 wants a key at least as long as its hash (RFC 7518, section 3.2).
const MIN_JWT_SECRET_BYTES: usize = 32;

pub(super) fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and a port, as in 127.0.0.1:8080 or [::]:8080")
}

pub(super) fn directory(text: &str) -> Result<PathBuf, &'static str> {
    non_empty(text).map(absolute)
}

pub(super) fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("must be on or off"),
    }
}

pub(super) fn non_empty(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("must not be empty") } else { Ok(text.to_owned()) }
}

/// Names with commas between them.
pub(super) fn names(text: &str) -> Result<Vec<String>, &'static str> {
    let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) {
        return Err("must be names with commas between them");
    }
    Ok(names)
}

/// Without the working directory there is nothing to be absolute to; the path is kept as it is and
/// whoever opens it says so.
pub(super) fn absolute(path: impl AsRef<Path>) -> PathBuf {
    std::path::absolute(&path).unwrap_or_else(|_| path.as_ref().to_owned())
}

pub(super) fn url(schemes: &'static [&'static str]) -> impl FnOnce(&str) -> Result<Secret, String> {
    move |text| match text.split_once("://") {
        Some((scheme, rest)) if schemes.contains(&scheme) && !rest.is_empty() => {
            Ok(Secret::new(text))
        }
        _ => Err(format!("must be a URL that starts with {}://", schemes.join(":// or "))),
    }
}

pub(super) fn jwt_secret(text: &str) -> Result<Secret, String> {
    if text.len() < MIN_JWT_SECRET_BYTES {
        return Err(format!("must have {MIN_JWT_SECRET_BYTES} bytes or more, has {}", text.len()));
    }
    Ok(Secret::new(text))
}

pub(super) fn artifact_location(text: &str) -> Result<ArtifactLocation, &'static str> {
    if let Some(path) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
        return Ok(ArtifactLocation::Directory(PathBuf::from(path)));
    }
    let (bucket, prefix) = text
        .strip_prefix("s3://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        .filter(|(bucket, _)| !bucket.is_empty())
        .ok_or("must be file:///directory or s3://bucket/prefix")?;
    Ok(ArtifactLocation::S3 {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_matches('/').to_owned(),
    })
}

/// A time in whole seconds, an hour at most.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| *seconds <= 3600);
    seconds.map(Duration::from_secs).ok_or("must be a whole number of seconds from 0 to 3600")
}
