//! DELETE /functions/{function_id}

use shared::{
    domain::{FunctionId, TenantId},
    store::{StoreError, audit, commit, commit_for_sure, retire},
    telemetry::chain,
};
use uuid::Uuid;

use super::access;
use crate::{
    ApiState, answer::Okay, auth::Caller, examples::FUNCTION, permission::Action, problem::Problem,
    resource::Resource, shape::view,
};

view! {
    /// A function that is no more.
    FunctionDeleted {
        /// The function.
        function_id: FunctionId = FUNCTION,
        /// Always true.
        deleted: bool = true,
        /// Calls and builds that waited and will not begin.
        cancelled: u32 = 0,
    }
}

pub(super) async fn delete(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
) -> Result<Okay<FunctionDeleted>, Problem> {
    let tenant = caller.actor.tenant;
    let mut tx = state.db.begin_for(tenant).await?;
    access::find(&mut tx, caller, id, Action::DeleteFunction).await?;
    if !retire::delete(&mut tx, tenant, id).await? {
        return Err(FunctionId::not_found());
    }
    let number = audit::record(&mut tx, caller.deed("function.delete", id.0)).await?;
    commit_for_sure(&state.db, tx, &number).await?;
    let cancelled = cancel_all_waiting(state, tenant, id).await;
    Ok(Okay::new(FunctionDeleted { function_id: id, deleted: true, cancelled }))
}

/// How many there were. In steps, so that a long line does not hold its locks for long. What is left
/// after trouble in between, a worker ends: the function is deleted all the same.
async fn cancel_all_waiting(state: &ApiState, tenant: TenantId, id: FunctionId) -> u32 {
    let mut cancelled = 0;
    loop {
        let subjects = match cancel_some_waiting(state, tenant, id).await {
            Ok(subjects) if !subjects.is_empty() => subjects,
            Ok(_) => return cancelled,
            Err(error) => {
                tracing::warn!(%id, error = chain(&error), "calls of a deleted function go on waiting");
                return cancelled;
            }
        };
        cancelled += u32::try_from(subjects.len()).unwrap_or(u32::MAX);
        for subject in subjects {
            state.signals.finished(subject);
        }
    }
}

async fn cancel_some_waiting(
    state: &ApiState,
    tenant: TenantId,
    id: FunctionId,
) -> Result<Vec<Uuid>, StoreError> {
    let mut tx = state.db.begin_for(tenant).await?;
    let subjects = retire::cancel_waiting(&mut tx, tenant, id).await?;
    commit(tx).await.map(|()| subjects)
}
