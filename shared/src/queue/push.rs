//! Push: a row in the transaction that wrote what the job is about. Both are there or neither.
//!
//! Waking a worker is not part of it: NOTIFY inside a writing transaction serialises all of them.
//! Call `Signals::jobs_pushed` after the commit.

use super::job::NewJob;
use crate::store::{StoreError, Tx};

/// Adds a job; a second live job for one subject violates `job_subject`.
pub async fn push(tx: &mut Tx, job: NewJob) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into q.job (kind, subject_id, class, tenant_id, project_id, function_id, request_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
        job.kind.as_str(),
        job.subject,
        job.class as i16,
        job.tenant.0,
        job.project.0,
        job.function.0,
        job.request.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
