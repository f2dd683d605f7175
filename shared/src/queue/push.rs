//! Push: a row in the transaction that wrote what the job is about. Both are there or neither.
//!
//! Waking a worker is not part of it: NOTIFY inside a writing transaction serialises all of them.
//! Call `Signals::jobs_pushed` after the commit.

use super::job::NewJob;
use crate::store::{StoreError, Tx};

/// Adds a job; a second live job for one subject violates `job_subject`.
pub async fn push(tx: &mut Tx, job: NewJob) -> Result<(), StoreError> {
    push_many(tx, &[job]).await
}

/// Adds jobs in one statement, in their order.
pub async fn push_many(tx: &mut Tx, jobs: &[NewJob]) -> Result<(), StoreError> {
    let kinds: Vec<_> = jobs.iter().map(|job| job.kind.as_str().to_owned()).collect();
    let subjects: Vec<_> = jobs.iter().map(|job| job.subject).collect();
    let classes: Vec<_> = jobs.iter().map(|job| job.class as i16).collect();
    let tenants: Vec<_> = jobs.iter().map(|job| job.tenant.0).collect();
    let functions: Vec<_> = jobs.iter().map(|job| job.function.0).collect();
    let requests: Vec<_> = jobs.iter().map(|job| job.request.0).collect();
    sqlx::query!(
        "insert into q.job (kind, subject_id, class, tenant_id, function_id, request_id)
         select * from unnest($1::text[], $2::uuid[], $3::smallint[], $4::uuid[], $5::uuid[], $6::uuid[])",
        &kinds,
        &subjects,
        &classes,
        &tenants,
        &functions,
        &requests,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
