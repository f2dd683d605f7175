//! Wake-ups between processes: one notifier and one listener per process, over Postgres.
//!
//! Hints, never the record: whoever is woken reads the table, and losing every hint only makes
//! things slower. NOTIFY runs on a connection of its own, after the writer's commit, at most one at
//! a time, and carries everything that gathered meanwhile. What this process tells itself goes no
//! such way: it is there at once.

mod handle;
mod line;
mod state;
mod watch;

pub use handle::Signals;
pub use watch::Watch;
