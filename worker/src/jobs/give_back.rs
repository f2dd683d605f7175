//! Gives a job back that could not be carried out: for another try, or, when it had all of its tries,
//! to be buried.

use std::time::Duration;

use shared::{
    domain::Reason,
    queue::{self, ClaimedJob, GivenBack, SettleError},
    store::Db,
    telemetry::chain,
};

use super::{JobError, Services};
use crate::{
    burial::{Buried, bury},
    lease::Held,
    pull::through_trouble,
};

/// How often a call looks whether its binary is there again.
const REBUILT_LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn put_off(services: &Services, job: &ClaimedJob, held: &Held) {
    if let Err(error) = through_trouble(held, || try_to_put_off(&services.db, job)).await {
        // The lease's end brings the job back.
        tracing::error!(subject = %job.subject, error = %JobError::from(error), "a waiting job was not put off");
    }
}

async fn try_to_put_off(db: &Db, job: &ClaimedJob) -> Result<(), SettleError> {
    let mut tx = db.begin().await?;
    queue::put_off(&mut tx, job.claim, REBUILT_LOOK_EVERY).await?;
    Ok(tx.commit().await?)
}

/// A job that panicked failed through our fault, like every other that is given back.
pub(crate) async fn give_back_panicked(services: &Services, job: &ClaimedJob, held: &Held) {
    tracing::error!(request_id = %job.request, subject = %job.subject, "a job panicked");
    give_back_or_bury(services, job, held, "the platform failed while it ran this").await;
}

pub(super) async fn give_back(services: &Services, job: &ClaimedJob, held: &Held, error: JobError) {
    tracing::error!(
        request_id = %job.request,
        subject = %job.subject,
        redeliveries = job.redeliveries,
        error = chain(&error),
        "a job failed on our side"
    );
    let message = match error {
        JobError::NoEgress => "the function has 'network: egress', which no worker allows",
        // What went wrong inside stays inside; the request id leads to the line above.
        _ => "the platform failed while it ran this",
    };
    give_back_or_bury(services, job, held, message).await;
}

async fn give_back_or_bury(services: &Services, job: &ClaimedJob, held: &Held, message: &str) {
    let delay = Duration::from_millis(500 << job.redeliveries.clamp(0, 6));
    let given_back =
        through_trouble(held, || try_to_give_back(&services.db, job, delay, message)).await;
    match given_back {
        Ok(None) => {}
        Ok(Some(buried)) => {
            buried.count(&services.metrics.functions);
            services.signals.finished(job.subject);
        }
        // The lease's end brings the job back.
        Err(error) => {
            tracing::error!(subject = %job.subject, error = %JobError::from(error), "a failed job was not given back");
        }
    }
}

/// None when another try follows.
async fn try_to_give_back(
    db: &Db,
    job: &ClaimedJob,
    delay: Duration,
    message: &str,
) -> Result<Option<Buried>, SettleError> {
    let mut tx = db.begin().await?;
    let buried = match queue::give_back(&mut tx, job.claim, delay).await? {
        GivenBack::Deferred => None,
        GivenBack::Dead => {
            Some(bury(&mut tx, job.kind, job.subject, Reason::PlatformError, message).await?)
        }
    };
    tx.commit().await?;
    Ok(buried)
}
