//! POST /functions

use shared::{
    domain::{ErrorCode, FunctionId, FunctionName, FunctionStatus, Plan, ProjectId},
    queue::JobKind,
    store::{Tx, account, deploy, function, project},
};

use super::{
    secrets,
    settings::{Wanted, defaults},
    source::{self, SentSource},
    toolchains::require_served,
    views::{FunctionCreated, NewFunction, invoke_url},
};
use crate::{
    ApiState, answer::Created, auth::Caller, conclude::conclude, permission::Action,
    problem::Problem, resource::Resource, upload::Upload,
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

    let wanted = Wanted {
        runtime: None,
        timeout: new.timeout,
        memory: new.memory,
        network: new.network,
        trigger: new.trigger,
        events: new.events,
        env: new.env,
        retry: new.retry,
        max_concurrency: new.max_concurrency,
    };
    let id = FunctionId::new();
    let secrets = secrets::seal(state, id, new.secrets)?;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let plan = account::lock_plan(&mut tx, caller.actor.tenant).await?;
    // Its deletion takes the functions with it, and this one is not there yet.
    if !project::hold(&mut tx, caller.actor.tenant, project.id).await? {
        return Err(ProjectId::not_found());
    }
    let config = &state.config.functions;
    let settings = wanted.over(defaults(config, plan, new.runtime), config, plan)?;
    secrets::check_names(&settings.env, &[], &secrets)?;
    require_served(&mut tx, settings.runtime).await?;
    require_room(state, caller, &mut tx, plan).await?;
    let row = deploy::NewFunction {
        id,
        project: project.id,
        name: &new.name,
        description: new.description.as_ref(),
        settings: &settings,
        secrets: &secrets,
        source: &source,
    };
    let created = deploy::create(&mut tx, caller.actor, caller.origin.cause, &row).await?;
    let Some(created_at) = created else { return Err(name_taken(&new.name)) };
    let answer = Created::new(FunctionCreated {
        function_id: id,
        name: new.name.to_string(),
        status: FunctionStatus::Pending,
        version: "1".to_owned(),
        invoke_url: invoke_url(id),
        created_at: created_at.into(),
    });
    conclude(state, caller, tx, caller.deed("function.create", id.0), &answer).await?;
    state.signals.jobs_pushed(&[JobKind::Compile]);
    Ok(answer)
}

/// Exact, because the tenant's row is locked: of many creates at once, no more get in than fit.
async fn require_room(
    state: &ApiState,
    caller: &Caller,
    tx: &mut Tx,
    plan: Plan,
) -> Result<(), Problem> {
    let Some(limit) = state.config.functions.limits_of(plan).functions else { return Ok(()) };
    let count = function::count(tx, caller.actor.tenant).await?;
    if count < limit {
        return Ok(());
    }
    let message = format!("the plan '{plan}' allows {limit} functions and there are {count}");
    Err(Problem::new(ErrorCode::FuncQuotaExceeded, message)
        .with("limit", limit)
        .with("used", count))
}

pub(super) fn name_taken(name: &FunctionName) -> Problem {
    let message = format!("the project has a function with the name '{name}' already");
    Problem::new(ErrorCode::Conflict, message).with("field", "name")
}
