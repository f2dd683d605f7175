//! End to end through the real binary. The tests are in `tests/`; here is how they start it, talk to
//! it and see that it is gone.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "helpers of tests fail by panic"
)]

mod command;
mod http;
mod leftovers;
mod running;

pub use command::{Finished, apprun, apprun_reading, apprun_through, binary};
pub use http::{Answer, Client};
pub use leftovers::Mark;
pub use running::{Running, until};
