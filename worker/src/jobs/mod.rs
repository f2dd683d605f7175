//! One file per kind of job, each in the same three steps: load, run, record.

mod compile;
mod execute;
mod log_lines;
mod lost_binary;
mod trace;

use std::{sync::Arc, time::Duration};

use compiler::Toolchains;
use sandbox::Sandbox;
use shared::{
    artifact::{ArtifactError, ArtifactStore},
    config::PayloadLimits,
    domain::{Reason, WorkerIdentity},
    metrics::Metrics,
    queue::{self, Claim, ClaimedJob, GivenBack, JobKind, SettleError, Signals},
    seal::SecretKeys,
    store::{Db, StoreError},
    telemetry::chain,
};
use tokio::sync::{Notify, watch};
use tracing::Instrument;

use crate::{
    builder::Builder,
    burial::{Buried, bury},
    cache::{BinaryCache, CacheError},
    fetch::FetchError,
    lease::Held,
    pull::{Assignment, Interrupted, through_trouble},
};

/// What jobs are carried out with.
pub(crate) struct Services {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) binaries: BinaryCache,
    /// Where calls run.
    pub(crate) calls: Sandbox,
    /// Where calls with egress run, if they do here.
    pub(crate) egress: Option<Sandbox>,
    /// How much a call may say.
    pub(crate) payloads: PayloadLimits,
    /// What builds need, once it is ready; a better one may take its place.
    pub(crate) builder: watch::Sender<Option<Arc<Builder>>>,
    /// What builds can be done with now, and what is in the way of others.
    pub(crate) toolchains: watch::Sender<Toolchains>,
    /// Open the secrets of functions.
    pub(crate) secret_keys: Option<SecretKeys>,
    pub(crate) metrics: Metrics,
    /// Shown on each execution.
    pub(crate) worker: WorkerIdentity,
    /// Rung when a call ended that somebody wants to be told about.
    pub(crate) callbacks_due: Arc<Notify>,
}

/// Why a job could not be carried out: always trouble on our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Sandbox(#[from] sandbox::RunError),
    #[error(transparent)]
    Build(#[from] compiler::BuildError),
    #[error("failed to plan a build")]
    Plan(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Secrets(#[from] execute::SecretsError),
    #[error("failed to run: the binary is being built again")]
    BeingRebuilt,
    #[error("failed to run with egress: it is off on this worker (APPRUN_EGRESS)")]
    NoEgress,
    #[error("failed to build: no compiler is ready")]
    NoBuilder,
    #[error("failed to read a stored version")]
    UnreadableVersion,
    #[error("failed to finish: the lease was lost")]
    LeaseLost,
    #[error("failed to settle: the claim is stale")]
    Stale,
}

impl<E: Into<Self>> From<Interrupted<E>> for JobError {
    fn from(interrupted: Interrupted<E>) -> Self {
        match interrupted {
            Interrupted::LeaseLost => Self::LeaseLost,
            Interrupted::Failed(error) => error.into(),
        }
    }
}

impl From<SettleError> for JobError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Stale => Self::Stale,
            SettleError::Store(error) => Self::Store(error),
        }
    }
}

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

/// How often a call looks whether its binary is there again.
const REBUILT_LOOK_EVERY: Duration = Duration::from_millis(500);

async fn put_off(services: &Services, job: &ClaimedJob, held: &Held) {
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

/// A panic is our trouble like any other.
pub(crate) async fn give_back_panicked(services: &Services, job: &ClaimedJob, held: &Held) {
    tracing::error!(request_id = %job.request, subject = %job.subject, "a job panicked");
    give_back_or_bury(services, job, held, "the platform failed while it ran this").await;
}

async fn give_back(services: &Services, job: &ClaimedJob, held: &Held, error: JobError) {
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

/// Settles a claim whose subject needs no outcome any more, because it already has one.
async fn settle_only(services: &Services, claim: Claim, held: &Held) -> Result<(), JobError> {
    Ok(through_trouble(held, || try_to_settle(&services.db, claim)).await?)
}

async fn try_to_settle(db: &Db, claim: Claim) -> Result<(), SettleError> {
    let mut tx = db.begin().await?;
    queue::settle(&mut tx, claim).await?;
    Ok(tx.commit().await?)
}
