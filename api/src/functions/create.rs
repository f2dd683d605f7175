//! POST /functions

use shared::{
    domain::{ErrorCode, FunctionName, FunctionStatus, Plan, ProjectId, Trigger},
    store::{Tx, account, audit, commit, function, project},
};

use super::{
    settings::Settings,
    source::{self, SentSource},
    views::{FunctionCreated, NewFunction, invoke_url},
};
use crate::{
    ApiState, answer::Created, auth::Caller, permission::Action, problem::Problem,
    resource::Resource, upload::Upload,
};

pub(super) async fn create(
    state: &ApiState,
    caller: &Caller,
    Upload { fields: new, archive }: Upload<NewFunction>,
) -> Result<Created<FunctionCreated>, Problem> {
    let project = project::find(&state.db, caller.actor, new.project_id).await?;
    let project = project.ok_or_else(ProjectId::not_found)?;
    Action::CreateFunction.allow(project.role)?;
    let sent =
        SentSource { code: new.code, code_base64: new.code_base64, files: new.files, archive };
    let source = sent.read(new.runtime, &state.config.functions.payloads).await?;
    let source = source.ok_or_else(source::missing)?;

    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
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
    let Some(created) = created else { return Err(name_taken(&new.name)) };
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

fn name_taken(name: &FunctionName) -> Problem {
    let message = format!("the project has a function with the name '{name}' already");
    Problem::new(ErrorCode::Conflict, message).with("field", "name")
}
