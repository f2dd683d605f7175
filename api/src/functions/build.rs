//! GET /functions/{function_id}/builds/{build_id}

use shared::{
    domain::{BuildId, FunctionId},
    store::build_report,
};

use super::{access, build_views::Build};
use crate::{
    ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem, resource::Resource,
};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    function: FunctionId,
    id: BuildId,
) -> Result<Okay<Build>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    access::find(&mut tx, caller, function, Action::ReadFunction).await?;
    let build = build_report::find(&mut tx, caller.actor.tenant, function, id).await?;
    Ok(Okay::new(build.ok_or_else(BuildId::not_found)?.into()))
}
