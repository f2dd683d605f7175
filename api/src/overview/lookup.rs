//! GET /lookup/{id}

use shared::{
    domain::{Actor, ErrorCode, FunctionId},
    store::{Tx, build_report, execution_report, function, project, version},
};

use super::views::{Found, Lookup};
use crate::{ApiState, answer::Okay, auth::Caller, params::AnyId, problem::Problem};

pub(super) async fn lookup(
    state: &ApiState,
    caller: &Caller,
    id: AnyId,
) -> Result<Okay<Lookup>, Problem> {
    let (db, actor) = (&state.db, caller.actor);
    let found = match id {
        AnyId::Project(id) => {
            let found = project::find(db, actor, id).await?;
            found.map(|_| vec![Found::project(id)]).unwrap_or_default()
        }
        AnyId::Function(id) => {
            let mut tx = db.begin_for(actor.tenant).await?;
            let found = function::find(&mut tx, actor, id).await?;
            found.map(|_| vec![Found::function(id)]).unwrap_or_default()
        }
        AnyId::Version(id) => {
            let mut tx = db.begin_for(actor.tenant).await?;
            let of = version::place(&mut tx, actor.tenant, id).await?;
            let seen = visible(&mut tx, actor, of.map(|(function, _)| function)).await?;
            let found = seen.zip(of).map(|(_, (of, number))| vec![Found::version(id, of, number)]);
            found.unwrap_or_default()
        }
        AnyId::Build(id) => {
            let mut tx = db.begin_for(actor.tenant).await?;
            let of = build_report::function_of(&mut tx, actor.tenant, id).await?;
            let seen = visible(&mut tx, actor, of).await?;
            seen.map(|of| vec![Found::build(id, of)]).unwrap_or_default()
        }
        AnyId::Execution(id) => {
            let found = execution_report::find(db, actor, id).await?;
            found.map(|_| vec![Found::execution(id)]).unwrap_or_default()
        }
        AnyId::Request(id) => {
            let mut found = Vec::new();
            for (execution, of) in execution_report::of_request(db, actor.tenant, id).await? {
                if project::find(db, actor, of).await?.is_some() {
                    found.push(Found::execution(execution));
                }
            }
            found
        }
    };
    match found.is_empty() {
        true => Err(Problem::new(ErrorCode::NotFound, "the id stands for nothing that is kept")),
        false => Ok(Okay::new(Lookup { found })),
    }
}

/// The function, if the caller has a role in its project.
async fn visible(
    tx: &mut Tx,
    actor: Actor,
    function: Option<FunctionId>,
) -> Result<Option<FunctionId>, Problem> {
    let Some(id) = function else { return Ok(None) };
    Ok(function::find(tx, actor, id).await?.map(|found| found.id))
}
