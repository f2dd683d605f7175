//! How a request that makes something ends.

use serde::Serialize;
use shared::store::{
    Tx,
    audit::{self, Deed},
    commit_for_sure,
};

use crate::{ApiState, answer::Answer, auth::Caller, idempotency, problem::Problem};

/// Records the deed, keeps the answer for who repeats the request, and makes both durable together with
/// what was made.
pub(crate) async fn conclude<T: Serialize, const STATUS: u16>(
    state: &ApiState,
    caller: &Caller,
    mut tx: Tx,
    deed: Deed,
    answer: &Answer<T, STATUS>,
) -> Result<(), Problem> {
    let number = audit::record(&mut tx, deed).await?;
    idempotency::keep(state, caller, &mut tx, answer).await?;
    Ok(commit_for_sure(&state.db, tx, &number).await?)
}
