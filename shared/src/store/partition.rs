//! Bounded growth: executions and their logs lie in one partition a day.

use super::{Db, StoreError};

/// Makes the partitions of the coming days and drops those older than `keep_days`; returns how many
/// were dropped. Any process may do it at any time; of several at once, one does.
pub async fn maintain(db: &Db, keep_days: u32) -> Result<u32, StoreError> {
    let dropped = sqlx::query_scalar!(
        r#"select maintain_partitions($1) as "dropped!""#,
        i32::try_from(keep_days).unwrap_or(i32::MAX)
    )
    .fetch_one(db.pool())
    .await?;
    Ok(dropped.unsigned_abs())
}
