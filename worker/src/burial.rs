//! The end of jobs that cannot come to an end of their own: recorded for whoever waits, and counted.

use shared::{
    domain::{BuildId, ExecutionId, FunctionId, Reason},
    metrics,
    queue::JobKind,
    store::{StoreError, Tx, build, execution},
};
use uuid::Uuid;

/// What was recorded, to be counted once it is committed.
#[derive(Debug)]
pub(crate) struct Buried {
    /// Whose call ended by it; None of a build, and of a call that had ended before.
    pub(crate) function: Option<FunctionId>,
    pub(crate) reason: Reason,
}

impl Buried {
    pub(crate) fn count(&self, calls: &metrics::Functions) {
        if let Some(function) = self.function {
            calls.ended(function, Some(self.reason), &[]);
        }
    }
}

/// Ends what the job was about, in the transaction that removes the job.
pub(crate) async fn bury(
    tx: &mut Tx,
    kind: JobKind,
    subject: Uuid,
    reason: Reason,
    message: &str,
) -> Result<Buried, StoreError> {
    let function = match kind {
        JobKind::Execute => execution::give_up(tx, ExecutionId(subject), reason, message).await?,
        JobKind::Compile => {
            let failure = build::BuildFailure {
                reason: reason.as_str().to_owned(),
                message: message.to_owned(),
            };
            build::give_up(tx, BuildId(subject), &failure).await?;
            None
        }
    };
    Ok(Buried { function, reason })
}
