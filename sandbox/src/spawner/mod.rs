//! The spawner: a small single-threaded process that owns the privileges and makes slots.
//!
//! It is this binary executed again, with one socket and nothing in its environment but a setting of its
//! allocator. It forks cheaply,
//! holds no secret, and after sealing can name no file of the host. It lives as long as its worker.

mod claim;
mod networks;
mod prepare;
mod process;
mod seal;
mod serve;
mod start;

pub(crate) use claim::BLOCK_UIDS;
pub use process::Launcher;
pub(crate) use process::SpawnerProcess;
pub(crate) use seal::SLOT_DIR;
pub use start::become_spawner_if_asked;
pub(crate) use start::{SPAWNER_NAME, execute_own};
