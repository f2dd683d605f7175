//! Who runs jobs.

/// A worker process, as its lease and each execution that it runs show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// Machine and process, for people.
    pub name: String,
    /// Layers of isolation it was allowed to start without, by name; empty when all of them hold.
    pub degraded: Vec<String>,
}

/// One that isolates in full.
impl From<&str> for WorkerIdentity {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), degraded: Vec::new() }
    }
}
