//! The ways in which a claim ends, each inside the transaction that writes what came of it: settled
//! for good, put off by the user's retry policy, or given back after trouble on our side.

use std::{collections::HashSet, time::Duration};

use super::{
    counters::{Event, counters},
    job::Claim,
};
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

fn stale(claim: Claim) -> SettleError {
    counters().add(claim.class, Event::StaleSettle, 1);
    SettleError::Stale
}

/// Deletes the job, which insists on the claim's token. The caller writes the outcome in the same
/// transaction and commits both.
pub async fn settle(tx: &mut Tx, claim: Claim) -> Result<(), SettleError> {
    let settled = settle_many(tx, &[claim]).await?;
    if settled.contains(&claim.token) { Ok(()) } else { Err(SettleError::Stale) }
}

/// Deletes many jobs in one statement and says which: the tokens of those that were still their
/// claims'. The caller writes the outcomes of these, and of no others, in the same transaction.
pub async fn settle_many(tx: &mut Tx, claims: &[Claim]) -> Result<HashSet<i64>, StoreError> {
    let ids: Vec<_> = claims.iter().map(|claim| claim.job_id).collect();
    let tokens: Vec<_> = claims.iter().map(|claim| claim.token).collect();
    // In a fixed order, so that two settles never wait for each other's rows.
    let settled: HashSet<i64> = sqlx::query_scalar!(
        r#"select token as "token!" from q.settle($1, $2) token"#,
        &ids,
        &tokens
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .collect();
    for claim in claims {
        count_settle(*claim, settled.contains(&claim.token));
    }
    Ok(settled)
}

/// Counts an attempt to settle, for statements that settle a job and write its outcome in one.
pub(crate) fn count_settle(claim: Claim, settled: bool) {
    let event = if settled { Event::Settled } else { Event::StaleSettle };
    counters().add(claim.class, event, 1);
}

/// Puts the next attempt of a job off; a restart keeps the due time. A job whose end was asked for
/// comes back at once, to be settled as cancelled.
pub async fn retry(tx: &mut Tx, claim: Claim, delay: Duration) -> Result<(), SettleError> {
    // Attempts are the user's to bound: no job dies of them here.
    defer(tx, claim, delay, Some(Counter::Attempt)).await?;
    counters().add(claim.class, Event::Retried, 1);
    Ok(())
}

/// Puts a job off that waits for another one; that counts as nobody's failure.
pub async fn put_off(tx: &mut Tx, claim: Claim, delay: Duration) -> Result<(), SettleError> {
    defer(tx, claim, delay, None).await.map(drop)
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
    let given_back = defer(tx, claim, delay, Some(Counter::Redelivery)).await?;
    let event = match given_back {
        GivenBack::Deferred => Event::GivenBack,
        GivenBack::Dead => Event::Dead,
    };
    counters().add(claim.class, event, 1);
    Ok(given_back)
}

/// Which of a job's two counters a deferral raises, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counter {
    Attempt,
    Redelivery,
}

async fn defer(
    tx: &mut Tx,
    claim: Claim,
    delay: Duration,
    counter: Option<Counter>,
) -> Result<GivenBack, SettleError> {
    let raised = |which| i16::from(counter == Some(which));
    let row = sqlx::query!(
        r#"with gone as (
             delete from q.job where id = $1 and token = $2 returning *
         ),
         deferred as (
             insert into q.later (kind, subject_id, class, tenant_id, function_id, request_id,
                                  attempt, redeliveries, cancel_requested, enqueued_at, due_at)
             select kind, subject_id, class, tenant_id, function_id, request_id,
                    attempt + $4, redeliveries + $5, cancel_requested, enqueued_at,
                    now() + case when cancel_requested then interval '0' else make_interval(secs => $3) end
             from gone where redeliveries + $5 <= $6
             returning subject_id
         )
         select (select count(*) from gone) as "gone!", (select count(*) from deferred) as "deferred!""#,
        claim.job_id,
        claim.token,
        delay.as_secs_f64(),
        raised(Counter::Attempt),
        raised(Counter::Redelivery),
        MAX_REDELIVERIES,
    )
    .fetch_one(&mut **tx)
    .await?;
    match (row.gone, row.deferred) {
        (0, _) => Err(stale(claim)),
        (_, 0) => Ok(GivenBack::Dead),
        _ => Ok(GivenBack::Deferred),
    }
}
