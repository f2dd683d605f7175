//! DELETE /functions/{function_id}

use shared::{
    domain::FunctionId,
    store::{audit, commit, retire},
};

use super::{access, views::FUNCTION};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
    shape::view,
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
    audit::record(&mut tx, caller.deed("function.delete", id.0)).await?;
    commit(tx).await?;
    let cancelled = cancel_waiting(state, caller, id).await?;
    Ok(Okay::new(FunctionDeleted { function_id: id, deleted: true, cancelled }))
}

/// In steps, so that a long line does not hold its locks for long. What is left when this process
/// dies in between, a worker ends.
async fn cancel_waiting(state: &ApiState, caller: &Caller, id: FunctionId) -> Result<u32, Problem> {
    let mut cancelled = 0;
    loop {
        let mut tx = state.db.begin_for(caller.actor.tenant).await?;
        let subjects = retire::cancel_waiting(&mut tx, caller.actor.tenant, id).await?;
        commit(tx).await?;
        if subjects.is_empty() {
            return Ok(cancelled);
        }
        cancelled += u32::try_from(subjects.len()).unwrap_or(u32::MAX);
        for subject in subjects {
            state.signals.finished(subject);
        }
    }
}
