//! The source in a function's folder, and how it is sent: as texts where that is possible, else as a
//! zip archive.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path},
};

use serde_json::{Map, Value};

use super::{MANIFEST, Manifest, zip};
use crate::{failure::Failure, server::Body};

/// More than this goes as an archive, which a server takes more of.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// A folder this large is not a function's; a mistyped one is noticed before all of it is read.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// The same, in files.
const MAX_FILES: usize = 10_000;
/// What Cargo leaves beside a source.
const BUILD_OUTPUT: &str = "target";

/// Contents by path inside the folder, with `/` between the parts.
#[derive(Debug)]
pub(crate) struct Source(BTreeMap<String, Vec<u8>>);

impl Source {
    /// What the manifest names; without that, everything but the manifest, hidden files and build
    /// output.
    pub(crate) fn read(folder: &Path, manifest: &Manifest) -> Result<Self, Failure> {
        let mut source = Self(BTreeMap::new());
        match &manifest.files {
            Some(files) => {
                for name in files {
                    source.add_named(folder, name)?;
                }
            }
            None => source.add_folder(folder, "")?,
        }
        if source.0.is_empty() {
            return Err(Failure::usage(format!("{} holds no source", folder.display())));
        }
        Ok(source)
    }

    /// The text of a file, for showing a line of it.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.0.get(path)?).ok()
    }

    /// The request that deploys it with these fields.
    pub(crate) fn body(&self, mut fields: Map<String, Value>) -> Result<Body, Failure> {
        let total: usize = self.0.values().map(Vec::len).sum();
        let texts = self.0.iter().map(|(path, content)| {
            let text = std::str::from_utf8(content).ok()?;
            Some((path.clone(), Value::from(text)))
        });
        match texts.collect::<Option<Map<_, _>>>().filter(|_| total <= MAX_TEXT_BYTES) {
            Some(texts) => {
                fields.insert("files".to_owned(), Value::Object(texts));
                Ok(Body::json(&fields))
            }
            None => form(&Value::Object(fields), &zip::pack(&self.0)?),
        }
    }

    fn add_named(&mut self, folder: &Path, name: &str) -> Result<(), Failure> {
        let trimmed = name.trim_start_matches("./").trim_end_matches('/');
        let is_inside =
            Path::new(trimmed).components().all(|it| matches!(it, Component::Normal(_)));
        if trimmed.is_empty() || !is_inside {
            return Err(Failure::usage(format!("{name:?} in 'files' is not inside the folder")));
        }
        let path = folder.join(trimmed);
        if path.is_dir() { self.add_folder(&path, trimmed) } else { self.add_file(&path, trimmed) }
    }

    fn add_folder(&mut self, folder: &Path, inside: &str) -> Result<(), Failure> {
        let failed = |error| cannot_read(folder, &error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().map_err(|name| {
                Failure::usage(format!("the name of {} is not text", Path::new(&name).display()))
            })?;
            let is_top = inside.is_empty();
            let path = if is_top { name.clone() } else { format!("{inside}/{name}") };
            // A link may lead in circles or out of the folder; whoever needs one names it in `files`.
            let kind = entry.file_type().map_err(failed)?;
            if name.starts_with('.') || is_top && name == MANIFEST || kind.is_symlink() {
                continue;
            }
            match kind.is_dir() {
                true if name == BUILD_OUTPUT => {}
                true => self.add_folder(&entry.path(), &path)?,
                false => self.add_file(&entry.path(), &path)?,
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &Path, inside: &str) -> Result<(), Failure> {
        let content = fs::read(path).map_err(|error| cannot_read(path, &error))?;
        self.0.insert(inside.to_owned(), content);
        let total: usize = self.0.values().map(Vec::len).sum();
        if total > MAX_BYTES || self.0.len() > MAX_FILES {
            return Err(Failure::usage(format!(
                "the folder holds more than {} MiB or {MAX_FILES} files; name what belongs to the \
                 function under 'files' in {MANIFEST}",
                MAX_BYTES / 1024 / 1024
            )));
        }
        Ok(())
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

/// The two parts that the API takes: the fields as JSON, the archive as it is.
fn form(fields: &Value, archive: &[u8]) -> Result<Body, Failure> {
    // Random, so that no content can hold it by accident or on purpose.
    let boundary = uuid::Uuid::new_v4().simple().to_string();
    let mut bytes = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"function\"\r\n\
         content-type: application/json\r\n\r\n{fields}\r\n\
         --{boundary}\r\ncontent-disposition: form-data; name=\"source\"; filename=\"source.zip\"\r\n\
         content-type: application/zip\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(archive);
    bytes.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Ok(Body::Form { content_type: format!("multipart/form-data; boundary={boundary}"), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        dir
    }

    fn paths(dir: &Path, files: Option<&[&str]>) -> Result<Vec<String>, Failure> {
        let files = files.map(|files| files.iter().map(|file| (*file).to_owned()).collect());
        let (name, fields) = (String::new(), Map::new());
        let manifest = Manifest { name, fields, secrets: Vec::new(), files };
        Source::read(dir, &manifest).map(|source| source.0.into_keys().collect())
    }

    #[test]
    fn everything_is_sent_but_the_manifest_hidden_files_links_and_build_output() {
        let dir = folder(&[
            ("function.yaml", b"x"),
            ("src/lib.rs", b"x"),
            ("src/function.yaml", b"x"),
            ("Cargo.toml", b"x"),
            (".git/config", b"x"),
            ("target/debug/x", b"x"),
        ]);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        let sent = paths(dir.path(), None).unwrap();
        assert_eq!(sent, ["Cargo.toml", "src/function.yaml", "src/lib.rs"]);
    }

    #[test]
    fn named_files_are_sent_and_nothing_else() {
        let dir = folder(&[("a.go", b"x"), ("b.go", b"x"), ("words/c.go", b"x")]);
        assert_eq!(paths(dir.path(), Some(&["./a.go", "words/"])).unwrap(), ["a.go", "words/c.go"]);
        for outside in ["../a.go", "/etc/passwd", ".", ""] {
            assert!(paths(dir.path(), Some(&[outside])).is_err(), "{outside}");
        }
        assert!(paths(dir.path(), Some(&["missing.go"])).is_err());
    }

    #[test]
    fn texts_go_as_json_and_anything_else_as_an_archive() {
        let body = |content: &[u8]| {
            let source = Source(BTreeMap::from([("a".to_owned(), content.to_vec())]));
            source.body(Map::new()).unwrap()
        };
        assert!(matches!(body(b"text"), Body::Json(json) if json == r#"{"files":{"a":"text"}}"#));
        for content in [vec![0xff], vec![b'x'; MAX_TEXT_BYTES + 1]] {
            let Body::Form { content_type, bytes } = body(&content) else { panic!("no archive") };
            let (_, boundary) = content_type.split_once("boundary=").unwrap();
            assert!(bytes.ends_with(format!("\r\n--{boundary}--\r\n").as_bytes()));
        }
    }
}
