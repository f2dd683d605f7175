//! GET /projects/{project_id}/dead-letters and its two bulk actions

use shared::{
    domain::{ExecutionId, FunctionId, IdCursor, PageSize, ProjectId, Reason},
    store::{
        Tx, audit, commit,
        dead_letter::{self, Which},
        execution_report::{self, Filter, Summary},
    },
};

use super::views::{DeadLetters, DealtWith, ExecutionIds};
use crate::{
    ApiState, answer::Okay, auth::Caller, executions::views::ExecutionSummary, page::Page,
    permission::Action, problem::Problem, projects,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    (function, reason): (Option<FunctionId>, Option<Reason>),
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<ExecutionSummary>>, Problem> {
    projects::find(state, caller, project, Action::ManageDeadLetters).await?;
    let filter = Filter {
        project: Some(project),
        function,
        reason,
        dead_letters: true,
        ..Filter::default()
    };
    let tenant = caller.actor.tenant;
    let mut tx = state.db.begin_for(tenant).await?;
    let rows = execution_report::list(&mut tx, tenant, filter, behind, size).await?;
    let cursor = |row: &Summary| IdCursor(row.id.0).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, ExecutionSummary::from)))
}

pub(super) async fn redrive(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    body: DeadLetters,
) -> Result<Okay<DealtWith>, Problem> {
    let mut tx = begin(state, caller, project).await?;
    let mut answer = matching(caller, project, &mut tx, body).await?;
    if answer.dry_run {
        return Ok(Okay::new(answer));
    }
    let mut driven = Vec::new();
    for dead in std::mem::take(&mut answer.dead_letters) {
        let tenant = caller.actor.tenant;
        let new = dead_letter::redrive(&mut tx, tenant, dead, caller.origin.cause).await?;
        // Somebody else may have been faster with some.
        if let Some(new) = new {
            driven.push((dead, new));
        }
    }
    audit::record(&mut tx, caller.deed("dead_letters.redrive", project.0)).await?;
    commit(tx).await?;
    state.signals.jobs_pushed();
    (answer.dead_letters, answer.executions) = driven.into_iter().unzip();
    Ok(Okay::new(answer))
}

pub(super) async fn purge(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    body: DeadLetters,
) -> Result<Okay<DealtWith>, Problem> {
    let mut tx = begin(state, caller, project).await?;
    let answer = matching(caller, project, &mut tx, body).await?;
    if !answer.dry_run {
        dead_letter::purge(&mut tx, caller.actor.tenant, &answer.dead_letters).await?;
        audit::record(&mut tx, caller.deed("dead_letters.purge", project.0)).await?;
        commit(tx).await?;
    }
    Ok(Okay::new(answer))
}

async fn begin(state: &ApiState, caller: &Caller, project: ProjectId) -> Result<Tx, Problem> {
    projects::find(state, caller, project, Action::ManageDeadLetters).await?;
    Ok(state.db.begin_for(caller.actor.tenant).await?)
}

async fn matching(
    caller: &Caller,
    project: ProjectId,
    tx: &mut Tx,
    body: DeadLetters,
) -> Result<DealtWith, Problem> {
    let ids: Option<Vec<ExecutionId>> = body.execution_ids.map(|ids| ids.0);
    let which = Which { ids, function: body.function_id, reason: body.reason };
    let room = u32::try_from(ExecutionIds::MAX).unwrap_or(u32::MAX);
    let (dead_letters, matched) =
        dead_letter::matching(tx, caller.actor.tenant, project, &which, room).await?;
    let dry_run = body.dry_run.unwrap_or(false);
    Ok(DealtWith { dry_run, matched, dead_letters, executions: Vec::new() })
}
