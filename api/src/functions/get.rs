//! GET /functions/{function_id}

use shared::{
    domain::{BuildStatus, FunctionId},
    store::{
        Tx,
        build_report::{self, BuildReport},
        function::Function,
        version::{self, Version},
    },
};

use super::{access, details::FunctionDetails};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
) -> Result<Okay<FunctionDetails>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let function = access::find(&mut tx, caller, id, Action::ReadFunction).await?;
    let version = version::find(&mut tx, caller.actor.tenant, id, function.version).await?;
    // Gone between the two looks: deleted and cleaned up.
    let version = version.ok_or_else(FunctionId::not_found)?;
    let newer_build = newer_build(&mut tx, caller, &function).await?;
    let build = build_of(&mut tx, caller, id, &version).await?;
    Ok(Okay::new(FunctionDetails::of(function, version, build, newer_build)))
}

/// The build of the newest version, while that cannot serve.
async fn newer_build(
    tx: &mut Tx,
    caller: &Caller,
    function: &Function,
) -> Result<Option<BuildReport>, Problem> {
    let (id, latest) = (function.id, function.latest_version);
    if latest == function.version {
        return Ok(None);
    }
    let newest = version::find(tx, caller.actor.tenant, id, latest).await?;
    match newest.filter(|newest| newest.build_status != BuildStatus::Succeeded) {
        Some(newest) => build_of(tx, caller, id, &newest).await.map(Some),
        None => Ok(None),
    }
}

async fn build_of(
    tx: &mut Tx,
    caller: &Caller,
    id: FunctionId,
    version: &Version,
) -> Result<BuildReport, Problem> {
    let build = build_report::find(tx, caller.actor.tenant, id, version.build).await?;
    build.ok_or_else(|| Problem::internal(format!("{id} has no build")))
}
