//! The source of one function version: a bounded set of files with safe relative paths.
//!
//! Made valid once, at the door; whoever holds a bundle may lay it out on disk without checking again.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use super::{runtime::Runtime, text_enum::shortened};

/// Longest path of a file, in bytes.
const MAX_PATH_BYTES: usize = 255;

/// How much source one version may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Number of files.
    pub files: usize,
    /// All contents together.
    pub total_bytes: usize,
}

impl SourceLimits {
    /// Refuses what is over.
    pub fn check(&self, files: usize, total_bytes: usize) -> Result<(), SourceError> {
        if files > self.files {
            return Err(SourceError::TooManyFiles { files, max_files: self.files });
        }
        if total_bytes > self.total_bytes {
            return Err(SourceError::TooLarge { bytes: total_bytes, max_bytes: self.total_bytes });
        }
        Ok(())
    }
}

/// Files by path. Stored as a JSON object, path to base64 of the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceBundle {
    files: BTreeMap<String, Vec<u8>>,
}

impl SourceBundle {
    /// A source sent as one text; it gets the runtime's default file name.
    pub fn from_text(
        runtime: Runtime,
        text: &str,
        limits: SourceLimits,
    ) -> Result<Self, SourceError> {
        let file = (runtime.default_file_name().to_owned(), text.as_bytes().to_vec());
        Self::from_files([file], limits)
    }

    /// A source of several files, in any order.
    pub fn from_files(
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        limits: SourceLimits,
    ) -> Result<Self, SourceError> {
        let files: Vec<_> = files.into_iter().collect();
        limits.check(files.len(), files.iter().map(|(_, content)| content.len()).sum())?;
        let mut bundle = BTreeMap::new();
        for (path, content) in files {
            check_path(&path)?;
            if bundle.insert(path.clone(), content).is_some() {
                let path = shortened(&path);
                return Err(SourceError::Clash { first: path.clone(), second: path });
            }
        }
        if bundle.is_empty() {
            return Err(SourceError::Empty);
        }
        check_clashes(&bundle)?;
        Ok(Self { files: bundle })
    }

    /// All files in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// The content of one file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// All contents together.
    pub fn total_bytes(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }

    /// Sha256 over paths and contents, each preceded by its length, so that no two different
    /// bundles feed the same bytes. The order in which files were sent makes no difference.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (path, content) in &self.files {
            for part in [path.as_bytes(), content] {
                hasher.update((part.len() as u64).to_be_bytes());
                hasher.update(part);
            }
        }
        hasher.finalize().into()
    }
}

impl SourceError {
    /// Whether a path can stand in a source: relative, plain, and not too long.
    pub fn check_path(path: &str) -> Result<(), Self> {
        check_path(path)
    }
}

fn check_path(path: &str) -> Result<(), SourceError> {
    let refuse = |reason| Err(SourceError::Path { path: shortened(path), reason });
    if path.is_empty() {
        return refuse("is empty");
    }
    if path.len() > MAX_PATH_BYTES {
        return refuse("is longer than 255 bytes");
    }
    if path.starts_with('/') {
        return refuse("is absolute: paths start at the root of the source");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return refuse("holds a backslash or a control character");
    }
    match path.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some("..") => refuse("leaves the source through '..'"),
        Some(_) => refuse("has an empty or '.' part"),
        None => Ok(()),
    }
}

/// Two files that differ only in case, or a file that is also a folder, mean different things on
/// different machines.
fn check_clashes(files: &BTreeMap<String, Vec<u8>>) -> Result<(), SourceError> {
    let clash = |first: &str, second: &str| SourceError::Clash {
        first: shortened(first),
        second: shortened(second),
    };
    let mut by_folded_path = HashMap::new();
    for path in files.keys() {
        if let Some(other) = by_folded_path.insert(path.to_lowercase(), path) {
            return Err(clash(other, path));
        }
    }
    for path in files.keys() {
        for (end, _) in path.match_indices('/') {
            if let Some(file) = by_folded_path.get(&path[..end].to_lowercase()) {
                return Err(clash(file, path));
            }
        }
    }
    Ok(())
}

impl Serialize for SourceBundle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.files.iter().map(|(path, content)| (path, BASE64.encode(content))))
    }
}

impl<'de> Deserialize<'de> for SourceBundle {
    /// Reads what was stored: paths are checked again, sizes were checked at the door.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = BTreeMap::<String, String>::deserialize(deserializer)?;
        let files: Vec<_> = encoded
            .into_iter()
            .map(|(path, content)| Ok((path, BASE64.decode(content).map_err(D::Error::custom)?)))
            .collect::<Result<_, D::Error>>()?;
        let unlimited = SourceLimits { files: usize::MAX, total_bytes: usize::MAX };
        Self::from_files(files, unlimited).map_err(D::Error::custom)
    }
}

/// Why a set of files cannot be a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages are the description")]
pub enum SourceError {
    #[error("the source holds no file")]
    Empty,
    #[error("file path '{path}' {reason}")]
    Path { path: String, reason: &'static str },
    #[error("files '{first}' and '{second}' clash: paths must differ in more than case")]
    Clash { first: String, second: String },
    #[error("the source holds {files} files; at most {max_files} are allowed")]
    TooManyFiles { files: usize, max_files: usize },
    #[error("the source is {bytes} bytes long; at most {max_bytes} are allowed")]
    TooLarge { bytes: usize, max_bytes: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SourceLimits = SourceLimits { files: 3, total_bytes: 10 };

    fn bundle(files: &[(&str, &str)]) -> Result<SourceBundle, SourceError> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        SourceBundle::from_files(files, LIMITS)
    }

    #[test]
    fn a_text_gets_the_default_file_name() {
        let go = SourceBundle::from_text(Runtime::Go { minor: 21 }, "package x", LIMITS).unwrap();
        assert_eq!(go.files().collect::<Vec<_>>(), [("handler.go", b"package x".as_slice())]);
    }

    #[test]
    fn unsafe_paths_are_refused() {
        for path in [
            "", "/a", "../a", "a/../b", "a/..", "a//b", "a/", "./a", "a/./b", "a\\b", "a\0b",
            "a\nb",
        ] {
            let refused = bundle(&[(path, "x")]);
            assert!(matches!(refused, Err(SourceError::Path { .. })), "{path:?}: {refused:?}");
        }
        let long = "a".repeat(256);
        assert!(matches!(bundle(&[(&long, "")]), Err(SourceError::Path { .. })));
    }

    #[test]
    fn files_that_clash_are_refused() {
        for pair in [["a", "a"], ["a.go", "A.go"], ["a", "a/b"], ["A", "a/b"]] {
            let refused = bundle(&[(pair[0], ""), (pair[1], "")]);
            assert!(matches!(refused, Err(SourceError::Clash { .. })), "{pair:?}: {refused:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        assert!(bundle(&[("a", "12345"), ("b", "12345"), ("c", "")]).is_ok());
        let too_large = Err(SourceError::TooLarge { bytes: 11, max_bytes: 10 });
        assert_eq!(bundle(&[("a", "12345"), ("b", "123456")]), too_large);
        let too_many = Err(SourceError::TooManyFiles { files: 4, max_files: 3 });
        assert_eq!(bundle(&[("a", ""), ("b", ""), ("c", ""), ("d", "")]), too_many);
        assert_eq!(bundle(&[]), Err(SourceError::Empty));
    }

    #[test]
    fn the_hash_ignores_order_and_sees_every_byte() {
        let hash = |files: &[(&str, &str)]| bundle(files).unwrap().hash();
        assert_eq!(hash(&[("a", "1"), ("b", "2")]), hash(&[("b", "2"), ("a", "1")]));
        let others =
            [[("a", "1"), ("b", "3")], [("a", "1"), ("c", "2")], [("a", "1b"), ("b", "2")]];
        for other in others {
            assert_ne!(hash(&[("a", "1"), ("b", "2")]), hash(&other), "{other:?}");
        }
    }

    #[test]
    fn what_was_stored_reads_back_the_same() {
        let files = [("a".to_owned(), vec![0, 255, 7]), ("b/c".to_owned(), Vec::new())];
        let bundle = SourceBundle::from_files(files, LIMITS).unwrap();
        let stored = serde_json::to_string(&bundle).unwrap();
        assert_eq!(stored, r#"{"a":"AP8H","b/c":""}"#);
        assert_eq!(serde_json::from_str::<SourceBundle>(&stored).unwrap(), bundle);
        assert!(serde_json::from_str::<SourceBundle>(r#"{"../a":""}"#).is_err());
    }
}
