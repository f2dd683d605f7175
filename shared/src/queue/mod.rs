//! The job queue: push, claim, settle, give back, reap, and the wake-ups between processes.
//!
//! Executions happen at least once, outcomes exactly once: a claim carries a fencing token, and a
//! settle whose token is no longer the job's changes nothing. See `README.md` beside this file.

mod cancel;
mod claim;
mod counters;
mod depth;
mod job;
mod lease;
mod marks;
mod push;
mod reap;
mod settle;
mod signals;
mod tally;

pub use cancel::{CancelledJob, cancel, remove_waiting};
pub use claim::{CallLimits, Claimed, FreeSlots, Rounds};
pub use counters::{CLAIM_WAIT_BUCKETS, ClassCounts, counts};
pub use depth::{Depth, WorkerSession, depths, workers};
pub use job::{Claim, ClaimedJob, Class, JobKind, NewJob};
pub use lease::{
    Beat, LEASE_TIME, LeaseId, beat, degraded_layers, live_workers, open_lease, release_lease,
};
pub use push::{push, push_many};
pub use reap::{DeadJob, Reaped, promote_due, reap};
pub(crate) use settle::count_settle;
pub use settle::{
    GivenBack, MAX_REDELIVERIES, SettleError, give_back, put_off, retry, settle, settle_many,
};
pub use signals::{Signals, Watch};
pub use tally::{Tally, tallies};
