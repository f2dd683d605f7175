//! POST /functions

use shared::{
    domain::{ErrorCode, FunctionStatus, Plan, ProjectId, SourceBundle, SourceLimits, Trigger},
    store::{Tx, account, audit, commit, function, project},
};

use super::{
    settings::Settings,
    views::{FunctionCreated, NewFunction, invoke_url},
};
use crate::{
    ApiState, answer::Created, auth::Caller, permission::Action, problem::Problem,
    resource::Resource,
};

/// Files in one source.
const MAX_FILES: usize = 1000;

pub(super) async fn create(
    state: &ApiState,
    caller: &Caller,
    new: NewFunction,
) -> Result<Created<FunctionCreated>, Problem> {
    let project = project::find(&state.db, caller.actor, new.project_id).await?;
    let project = project.ok_or_else(ProjectId::not_found)?;
    Action::CreateFunction.allow(project.role)?;
    let source = read_source(state, &new)?;

    let mut tx = state.db.begin().await?;
    let plan = account::lock_plan(&mut tx, caller.actor.tenant).await?;
    let settings = Settings::within(&state.config.functions, plan, new.timeout, new.memory)?;
    require_room(state, caller, &mut tx, plan).await?;
    let row = function::NewFunction {
        project: project.id,
        name: &new.name,
        description: new.description.as_ref(),
        trigger: new.trigger.unwrap_or(Trigger::Http),
        runtime: new.runtime,
        timeout_seconds: settings.timeout_seconds,
        memory_mib: settings.memory_mib,
        source: &source,
    };
    let created = function::create(&mut tx, caller.actor, caller.origin.request, &row).await?;
    let Some(created) = created else { return Err(name_taken(&new)) };
    audit::record(&mut tx, caller.deed("function.create", created.id.0)).await?;
    commit(tx).await?;
    state.signals.jobs_pushed();
    Ok(Created::new(FunctionCreated {
        function_id: created.id,
        name: new.name.to_string(),
        status: FunctionStatus::Pending,
        version: "1".to_owned(),
        invoke_url: invoke_url(created.id),
        created_at: created.created_at.into(),
    }))
}

fn read_source(state: &ApiState, new: &NewFunction) -> Result<SourceBundle, Problem> {
    if new.code.trim().is_empty() {
        return Err(Problem::invalid_field("code", "must not be empty"));
    }
    let total_bytes = state.config.functions.payloads.source_bytes;
    let limits = SourceLimits { files: MAX_FILES, total_bytes };
    SourceBundle::from_text(new.runtime, &new.code, limits).map_err(|error| {
        let found = new.code.len();
        Problem::invalid_field("code", format!("is {found} bytes long: {error}"))
    })
}

/// Exact, because the tenant's row is locked: of many creates at once, no more get in than fit.
async fn require_room(
    state: &ApiState,
    caller: &Caller,
    tx: &mut Tx,
    plan: Plan,
) -> Result<(), Problem> {
    let limit = state.config.functions.limits_of(plan).functions;
    let count = function::count(tx, caller.actor.tenant).await?;
    if count < limit {
        return Ok(());
    }
    let message = format!("the plan '{plan}' allows {limit} functions and there are {count}");
    Err(Problem::new(ErrorCode::FuncQuotaExceeded, message)
        .with("limit", limit)
        .with("used", count))
}

fn name_taken(new: &NewFunction) -> Problem {
    let message = format!("the project has a function with the name '{}' already", new.name);
    Problem::new(ErrorCode::Conflict, message).with("field", "name")
}
