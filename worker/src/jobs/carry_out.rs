//! Carries one job out, whatever its kind, and sees to it that its claim is settled or given back.

use std::sync::Arc;

use shared::{
    queue::{self, Claim, JobKind, SettleError},
    store::Db,
};
use tracing::Instrument;

use super::{
    JobError, Services, compile, execute,
    give_back::{give_back, put_off},
};
use crate::{
    lease::Held,
    pull::{Assignment, through_trouble},
};

/// Carries a job out and settles it, or gives it back. The slot comes back at the end.
pub(crate) async fn carry_out(services: Arc<Services>, assignment: Assignment) {
    let job = &assignment.job;
    // Whatever is logged on the way leads to the request.
    let span = tracing::info_span!("job", request_id = %job.request, tenant_id = %job.tenant);
    carry_out_and_settle(services, &assignment).instrument(span).await;
}

async fn carry_out_and_settle(services: Arc<Services>, assignment: &Assignment) {
    let Assignment { job, held, .. } = assignment;
    let result = match job.kind {
        JobKind::Execute => execute::execute(&services, assignment).await,
        JobKind::Compile => compile::compile(&services, assignment).await,
    };
    match result {
        Ok(()) => services.signals.finished(job.subject),
        // Somebody else settles it, or already has, or our own COMMIT went through unheard: nothing
        // more of ours may follow, but whoever waits may look.
        Err(error @ (JobError::LeaseLost | JobError::Stale)) => {
            tracing::warn!(request_id = %job.request, subject = %job.subject, %error, "result dropped");
            services.signals.finished(job.subject);
        }
        Err(JobError::BeingRebuilt) => put_off(&services, job, held).await,
        Err(error) => give_back(&services, job, held, error).await,
    }
}

/// Settles a claim whose subject needs no outcome any more, because it already has one.
pub(super) async fn settle_only(
    services: &Services,
    claim: Claim,
    held: &Held,
) -> Result<(), JobError> {
    Ok(through_trouble(held, || try_to_settle(&services.db, claim)).await?)
}

async fn try_to_settle(db: &Db, claim: Claim) -> Result<(), SettleError> {
    let mut tx = db.begin().await?;
    queue::settle(&mut tx, claim).await?;
    Ok(tx.commit().await?)
}
