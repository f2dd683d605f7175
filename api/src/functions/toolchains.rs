//! Whether what a function asks for can be built here at all.

use shared::{
    domain::Runtime,
    store::{Tx, toolchain},
};

use crate::problem::Problem;

/// Refuses a runtime that is newer than all that running workers have of its language. While none of
/// them has the language a build waits: such a worker may be starting.
pub(super) async fn require_served(tx: &mut Tx, runtime: Runtime) -> Result<(), Problem> {
    match toolchain::only_older(tx, runtime).await? {
        None => Ok(()),
        Some(installed) => {
            let message = format!("is {runtime}, newer than what is installed: {installed}");
            Err(Problem::invalid_field("runtime", message))
        }
    }
}
