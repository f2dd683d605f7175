//! Claims jobs and carries them out: load, run, record.
//!
//! `run` never touches the database, `record` has no outside effect, so that a lost worker costs a
//! repeat and never half a result. User trouble is data, an outcome that is recorded; a `JobError`
//! is trouble on our side, and the job is tried again.

mod backend;
mod builder;
mod burial;
mod cache;
mod callbacks;
mod claimer;
mod degraded;
mod egress;
mod fetch;
mod garbage;
mod house;
mod jobs;
mod lease;
mod offers;
mod opening;
mod pull;
mod runner;
mod running;
mod slots;

pub use builder::BuilderOptions;
pub use cache::{BinaryCache, CacheError};
pub use callbacks::Callbacks;
pub use egress::Egress;
pub use lease::Held;
pub use pull::{Assignment, Interrupted, Puller, Trouble, through_trouble};
pub use runner::{Options, StartError, Worker};
pub use slots::Slots;
