//! GET /lookup/{id}

use shared::{
    domain::{Actor, ErrorCode, FunctionId, ProjectId, RequestId, UserId},
    store::{
        Tx, account, audit, build_report, execution_report, function, invitation, project,
        project_token, version,
    },
};

use super::views::{Found, Lookup};
use crate::{
    ApiState, answer::Okay, auth::Caller, params::AnyId, permission::Action, problem::Problem,
};

pub(super) async fn lookup(
    state: &ApiState,
    caller: &Caller,
    id: AnyId,
) -> Result<Okay<Lookup>, Problem> {
    let found = match id {
        AnyId::Request(id) => of_request(state, caller.actor, id).await?,
        id => one(state, caller.actor, id).await?.into_iter().collect(),
    };
    match found.is_empty() {
        true => Err(Problem::new(ErrorCode::NotFound, "the id stands for nothing that is kept")),
        false => Ok(Okay::new(Lookup { found })),
    }
}

async fn one(state: &ApiState, actor: Actor, id: AnyId) -> Result<Option<Found>, Problem> {
    let (db, tenant) = (&state.db, actor.tenant);
    // Only where it is used, and ended before anything else is asked: who holds one session and waits for
    // another can wait for himself.
    let begin = async || db.begin_for(tenant).await;
    Ok(match id {
        AnyId::Project(id) => project::find(db, actor, id).await?.map(|_| Found::project(id)),
        AnyId::Function(id) => {
            visible(&mut begin().await?, actor, Some(id)).await?.map(Found::function)
        }
        AnyId::Version(id) => {
            let mut tx = begin().await?;
            let of = version::place(&mut tx, tenant, id).await?;
            let seen = visible(&mut tx, actor, of.map(|(function, _)| function)).await?;
            seen.zip(of).map(|(_, (of, number))| Found::version(id, of, number))
        }
        AnyId::Build(id) => {
            let mut tx = begin().await?;
            let of = build_report::function_of(&mut tx, tenant, id).await?;
            visible(&mut tx, actor, of).await?.map(|of| Found::build(id, of))
        }
        AnyId::Execution(id) => {
            execution_report::find(db, actor, id).await?.map(|_| Found::execution(id))
        }
        AnyId::Token(id) => {
            let of = project_token::project_of(&mut begin().await?, tenant, id).await?;
            let managed = managed(state, actor, of, Action::ManageTokens).await?;
            managed.map(|of| Found::token(id, of))
        }
        AnyId::Invitation(id) => {
            let of = invitation::project_of(&mut begin().await?, tenant, id).await?;
            let managed = managed(state, actor, of, Action::ManageMembers).await?;
            managed.map(|of| Found::invitation(id, of))
        }
        AnyId::Tenant(id) if id == tenant => {
            account::profile(db, actor).await?.map(|_| Found::tenant(id))
        }
        AnyId::User(id) if id == actor.user => {
            account::profile(db, actor).await?.map(|_| Found::caller(id))
        }
        AnyId::User(id) => other_user(state, actor, id).await?,
        AnyId::Tenant(_) | AnyId::Request(_) => None,
    })
}

/// What came with a request, as far as it is there for the caller.
async fn of_request(state: &ApiState, actor: Actor, id: RequestId) -> Result<Vec<Found>, Problem> {
    let mut found = Vec::new();
    for (execution, of) in execution_report::of_request(&state.db, actor.tenant, id).await? {
        if project::find(&state.db, actor, of).await?.is_some() {
            found.push(Found::execution(execution));
        }
    }
    let mut tx = state.db.begin_for(actor.tenant).await?;
    for (build, of) in build_report::of_request(&mut tx, actor.tenant, id).await? {
        found.extend(visible(&mut tx, actor, Some(of)).await?.map(|of| Found::build(build, of)));
    }
    drop(tx);
    if reads_audit(state, actor).await? && audit::has_request(&state.db, actor.tenant, id).await? {
        found.push(Found::audit(id));
    }
    Ok(found)
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

/// The project, if the caller may do this in it.
async fn managed(
    state: &ApiState,
    actor: Actor,
    project: Option<ProjectId>,
    action: Action,
) -> Result<Option<ProjectId>, Problem> {
    let Some(id) = project else { return Ok(None) };
    let found = project::find(&state.db, actor, id).await?;
    Ok(found.filter(|found| action.allow(found.role).is_ok()).map(|found| found.id))
}

/// Somebody else of the tenant, for whoever may read what they did.
async fn other_user(state: &ApiState, actor: Actor, id: UserId) -> Result<Option<Found>, Problem> {
    if !reads_audit(state, actor).await? {
        return Ok(None);
    }
    let other = account::profile(&state.db, Actor { user: id, ..actor }).await?;
    Ok(other.map(|_| Found::user(id)))
}

async fn reads_audit(state: &ApiState, actor: Actor) -> Result<bool, Problem> {
    let profile = account::profile(&state.db, actor).await?;
    Ok(profile.is_some_and(|it| Action::ReadAudit.allow_over_tenant(it.role).is_ok()))
}
