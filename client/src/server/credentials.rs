//! What is remembered between commands: for each server a login and a chosen project, in one file
//! that only its owner can read. Every change is made under a lock and put in place by a rename, so
//! two commands at once neither lose each other's changes nor see half a file.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Under the configuration folder of the person.
const FOLDER: &str = "apprun";
const FILE: &str = "credentials.json";
const LOCK: &str = "credentials.lock";

/// Everything that is remembered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The server of the last login.
    pub(crate) current: Option<String>,
    /// Logins by server.
    #[serde(default)]
    pub(crate) logins: BTreeMap<String, Login>,
}

/// One login to one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) email: String,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    /// When the access token ends, in seconds since 1970.
    pub(crate) expires_at: u64,
    /// Chosen by `apprun project use`.
    pub(crate) project: Option<SavedProject>,
}

/// A project that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SavedProject {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The file, or the place where it will be.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    /// None where neither variable that says where is set.
    folder: Option<PathBuf>,
}

/// The right to change the file; other commands wait for it to be dropped.
pub(crate) struct Changing<'a> {
    store: &'a Credentials,
    /// Closing it ends the lock.
    _lock: File,
    pub(crate) contents: Contents,
}

impl Credentials {
    /// Under `XDG_CONFIG_HOME`, else under `.config` of the home directory.
    pub(crate) fn of_process() -> Self {
        let directory = |name| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
        let config =
            directory("XDG_CONFIG_HOME").or_else(|| Some(directory("HOME")?.join(".config")));
        Self { folder: config.map(|config| config.join(FOLDER)) }
    }

    /// What is remembered now; nothing, when nothing ever was.
    pub(crate) fn read(&self) -> Result<Contents, Failure> {
        let Some(folder) = &self.folder else { return Ok(Contents::default()) };
        match fs::read(folder.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| self.failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::default()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Waits until nobody else changes the file, and reads it.
    pub(crate) fn change(&self) -> Result<Changing<'_>, Failure> {
        let lock = self.lock().map_err(|error| self.failed(error))?;
        Ok(Changing { store: self, _lock: lock, contents: self.read()? })
    }

    fn folder(&self) -> io::Result<&PathBuf> {
        let missing = || io::Error::other("set HOME or XDG_CONFIG_HOME, so that it has a place");
        self.folder.as_ref().ok_or_else(missing)
    }

    fn lock(&self) -> io::Result<File> {
        let folder = self.folder()?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(LOCK))?;
        lock.lock()?;
        Ok(lock)
    }

    /// Temporary files are made readable by their owner alone, and a rename keeps that.
    fn write(&self, contents: &Contents) -> io::Result<()> {
        let folder = self.folder()?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, contents)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(folder.join(FILE))?;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Failure {
        let folder = self.folder.clone().unwrap_or_else(|| PathBuf::from("~/.config/apprun"));
        Failure::Credentials { path: folder.join(FILE).display().to_string(), source }
    }
}

impl Changing<'_> {
    /// Puts the changed contents in place and lets others go on.
    pub(crate) fn save(self) -> Result<(), Failure> {
        self.store.write(&self.contents).map_err(|error| self.store.failed(error))
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, thread};

    use super::*;

    fn login(email: &str) -> Login {
        let text = str::to_owned;
        Login {
            email: text(email),
            access_token: text("a"),
            refresh_token: text("r"),
            expires_at: 1,
            project: None,
        }
    }

    #[test]
    fn only_the_owner_can_read_what_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let store = Credentials { folder: Some(dir.path().join("config/apprun")) };
        let mut changing = store.change().unwrap();
        changing.contents.logins.insert("http://a".to_owned(), login("a@example.com"));
        changing.save().unwrap();

        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path().join("config/apprun")), 0o700);
        assert_eq!(mode(dir.path().join("config/apprun").join(FILE)), 0o600);
        assert_eq!(store.read().unwrap().logins["http://a"].email, "a@example.com");
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Credentials { folder: Some(dir.path().to_owned()) };
        thread::scope(|scope| {
            for number in 0..20 {
                let store = &store;
                scope.spawn(move || {
                    let mut changing = store.change().unwrap();
                    changing.contents.logins.insert(format!("http://{number}"), login("a@b.c"));
                    changing.save().unwrap();
                });
            }
        });
        assert_eq!(store.read().unwrap().logins.len(), 20);
    }
}
