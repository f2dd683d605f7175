//! PUT /functions/{function_id}

use shared::{
    domain::{BuildStatus, ErrorCode, FunctionId, FunctionName, Runtime, SourceBundle},
    queue::JobKind,
    store::{
        StoreError, account,
        deploy::{self, Held, NewSource, NewVersion},
        version::Version,
    },
};

use super::{
    change_body::{ChangeFunction, Parts},
    create::name_taken,
    deployed::{Deployed, deployed},
    secrets, source,
    toolchains::require_served,
};
use crate::{
    ApiState, answer::Okay, auth::Caller, conclude::conclude, permission::Action, problem::Problem,
    resource::Resource, upload::Upload,
};

pub(super) async fn change(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    Upload { fields: change, archive }: Upload<ChangeFunction>,
) -> Result<Okay<Deployed>, Problem> {
    change.require_something(archive.is_some())?;
    // Twice: unpacking takes a while, and nobody else should wait for it.
    let held = {
        let mut tx = state.db.begin_for(caller.actor.tenant).await?;
        deploy::hold(&mut tx, caller.actor, id).await?.ok_or_else(FunctionId::not_found)?
    };
    allow(caller, &held)?;
    change.require_project(held.project)?;
    let (parts, sent) = change.split(archive);
    let runtime = parts.wanted.runtime.unwrap_or(held.base.settings.runtime);
    let source = sent.read(runtime, &state.config.functions.payloads).await?;
    let answer = add_version(state, caller, id, runtime, parts, source).await?;
    state.signals.jobs_pushed(&[JobKind::Compile]);
    Ok(answer)
}

/// Its creator, while a member, or an admin.
fn allow(caller: &Caller, held: &Held) -> Result<(), Problem> {
    Action::ChangeFunction.allow(held.role)?;
    if held.created_by == caller.actor.user || Action::ChangeAnyFunction.allow(held.role).is_ok() {
        return Ok(());
    }
    let message = "a member changes functions of their own; this one needs the role 'admin'";
    Err(Problem::new(ErrorCode::Forbidden, message)
        .with("created_by", held.created_by.to_string())
        .with("has", held.role.as_str()))
}

async fn add_version(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    runtime: Runtime,
    mut parts: Parts,
    source: Option<SourceBundle>,
) -> Result<Okay<Deployed>, Problem> {
    let config = &state.config.functions;
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let plan = account::lock_plan(&mut tx, caller.actor.tenant).await?;
    let held = deploy::hold(&mut tx, caller.actor, id).await?.ok_or_else(FunctionId::not_found)?;
    if source.is_some() {
        // What the source was read as, whatever somebody else made of the function meanwhile.
        parts.wanted.runtime = Some(runtime);
    }
    let settings = parts.wanted.over(held.base.settings.clone(), config, plan)?;
    let secrets = secrets::seal(state, id, parts.secrets)?;
    secrets::check_names(&settings.env, &held.base.secret_names, &secrets)?;
    let source = what_to_build(&held.base, source.as_ref(), settings.runtime)?;
    if !matches!(source, NewSource::Shared) {
        require_served(&mut tx, settings.runtime).await?;
    }
    let new = NewVersion { settings: &settings, secrets: &secrets, source };
    if parts.name.is_some() || parts.description.is_some() {
        let renamed =
            deploy::rename(&mut tx, &held, parts.name.as_ref(), parts.description.as_ref()).await;
        renamed.map_err(|error| not_renamed(error, parts.name.as_ref()))?;
    }
    let cause = caller.origin.cause;
    let number = deploy::add_version(&mut tx, caller.actor, cause, &held, &new).await?;
    let answer = Okay::new(deployed(&mut tx, caller, id, number).await?);
    conclude(state, caller, tx, caller.deed("function.change", id.0), &answer).await?;
    Ok(answer)
}

/// Settings need no build; a runtime and a source do.
fn what_to_build<'a>(
    base: &Version,
    sent: Option<&'a SourceBundle>,
    runtime: Runtime,
) -> Result<NewSource<'a>, Problem> {
    let before = base.settings.runtime;
    if let Some(source) = sent {
        return Ok(NewSource::Sent(source));
    }
    if runtime.language() != before.language() {
        return Err(source::missing_in(before));
    }
    let failed = base.build_status == BuildStatus::Failed;
    Ok(if failed || runtime != before { NewSource::BuiltAgain } else { NewSource::Shared })
}

fn not_renamed(error: StoreError, name: Option<&FunctionName>) -> Problem {
    match (error.violated_constraint(), name) {
        (Some("function_name"), Some(name)) => name_taken(name),
        _ => error.into(),
    }
}
