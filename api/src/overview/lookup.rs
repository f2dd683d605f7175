//! GET /lookup/{id}

use shared::{
    domain::ErrorCode,
    store::{execution_report, function, project},
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
