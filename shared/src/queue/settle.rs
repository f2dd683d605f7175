//! Settle: the end of a claim, inside the transaction that writes the outcome.

use std::time::Duration;

use super::job::Claim;
use crate::store::{StoreError, Tx};

/// How often a job may be given back by a failing worker, or taken from a dead one, before it is
/// declared dead. Bounds the harm of a job that kills its workers.
pub const MAX_REDELIVERIES: i16 = 5;

/// Why a claim could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The job was settled or taken over by somebody else; everything in this transaction must be
    /// rolled back.
    #[error("failed to settle: the claim is stale")]
    Stale,
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for SettleError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Deletes the job, which insists on the claim's token. The caller writes the outcome in the same
/// transaction and commits both.
pub async fn settle(tx: &mut Tx, claim: Claim) -> Result<(), SettleError> {
    // By primary key and token only: any further condition lets the planner leave the primary key.
    let deleted =
        sqlx::query!("delete from q.job where id = $1 and token = $2", claim.job_id, claim.token)
            .execute(&mut **tx)
            .await?
            .rows_affected();
    if deleted == 1 { Ok(()) } else { Err(SettleError::Stale) }
}

/// What became of a job that its worker could not carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBack {
    /// Ready again after the delay.
    Deferred,
    /// It failed too often. The job is gone; the caller records the failure in this transaction.
    Dead,
}

/// Gives a job back after trouble on our side.
pub async fn give_back(
    tx: &mut Tx,
    claim: Claim,
    delay: Duration,
) -> Result<GivenBack, SettleError> {
    let row = sqlx::query!(
        "with gone as (
             delete from q.job where id = $1 and token = $2 returning *
         ),
         deferred as (
             insert into q.later (id, kind, subject_id, class, tenant_id, project_id, function_id,
                                  request_id, attempt, redeliveries, enqueued_at, due_at)
             select id, kind, subject_id, class, tenant_id, project_id, function_id,
                    request_id, attempt, redeliveries + 1, enqueued_at,
                    now() + make_interval(secs => $3)
             from gone where redeliveries < $4
             returning id
         )
         select (select count(*) from gone) as \"gone!\", (select count(*) from deferred) as \"deferred!\"",
        claim.job_id,
        claim.token,
        delay.as_secs_f64(),
        MAX_REDELIVERIES,
    )
    .fetch_one(&mut **tx)
    .await?;
    match (row.gone, row.deferred) {
        (0, _) => Err(SettleError::Stale),
        (_, 0) => Ok(GivenBack::Dead),
        _ => Ok(GivenBack::Deferred),
    }
}
