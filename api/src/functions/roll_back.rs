//! POST /functions/{function_id}/rollback

use shared::{
    domain::{FunctionId, VersionNumber},
    store::{deploy, version},
};

use super::{
    deployed::{Deployed, deployed},
    versions,
};
use crate::{
    ApiState, answer::Okay, auth::Caller, conclude::conclude, permission::Action, problem::Problem,
    resource::Resource, shape::body,
};

body! {
    /// Which version to go back to.
    RollBack [|_| 1024] {
        /// The number of a version that was built.
        version: VersionNumber = "1",
    }
}

pub(super) async fn roll_back(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    body: RollBack,
) -> Result<Okay<Deployed>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let held = deploy::hold(&mut tx, caller.actor, id).await?.ok_or_else(FunctionId::not_found)?;
    Action::RollBackFunction.allow(held.role)?;
    if !deploy::roll_back(&mut tx, &held, body.version).await? {
        drop(tx);
        return Err(cannot_serve(state, caller, id, body.version).await?);
    }
    let answer = Okay::new(deployed(&mut tx, caller, id, body.version).await?);
    conclude(state, caller, tx, caller.deed("function.rollback", id.0), &answer).await?;
    Ok(answer)
}

/// Says why a version has no binary.
async fn cannot_serve(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    number: VersionNumber,
) -> Result<Problem, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let version = version::find(&mut tx, caller.actor.tenant, id, number).await?;
    Ok(version
        .map_or_else(|| versions::not_found(number), |version| versions::not_built(id, &version)))
}
