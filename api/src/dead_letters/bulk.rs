//! GET /projects/{project_id}/dead-letters and its two bulk actions

use shared::{
    domain::{ExecutionId, FunctionId, IdCursor, PageSize, ProjectId, Reason},
    queue::JobKind,
    store::{
        Tx,
        dead_letter::{self, Which},
        execution_report::{self, Filter, Summary},
    },
};

use super::views::{DeadLetters, DealtWith, ExecutionIds};
use crate::{
    ApiState, answer::Okay, auth::Caller, conclude::conclude, executions::views::ExecutionSummary,
    page::Page, permission::Action, problem::Problem, projects,
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
    let (tenant, cause) = (caller.actor.tenant, caller.origin.cause);
    let driven = dead_letter::redrive(&mut tx, tenant, &answer.dead_letters, cause).await?;
    let (dead_letters, executions): (Vec<_>, Vec<_>) =
        driven.into_iter().map(|it| (it.dead, it.again)).unzip();
    answer.skipped = answer.dead_letters;
    answer.skipped.retain(|id| !dead_letters.contains(id));
    answer.dead_letters = dead_letters;
    // A dry run finds out by doing it, and keeps nothing of it.
    if answer.dry_run {
        return Ok(Okay::new(answer));
    }
    let answer = Okay::new(DealtWith { executions, ..answer });
    let deed = caller.deed("dead_letters.redrive", project.0);
    conclude(state, caller, tx, deed, &answer).await?;
    state.signals.jobs_pushed(&[JobKind::Execute]);
    Ok(answer)
}

pub(super) async fn purge(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
    body: DeadLetters,
) -> Result<Okay<DealtWith>, Problem> {
    let mut tx = begin(state, caller, project).await?;
    let answer = matching(caller, project, &mut tx, body).await?;
    if answer.dry_run {
        return Ok(Okay::new(answer));
    }
    dead_letter::purge(&mut tx, caller.actor.tenant, &answer.dead_letters).await?;
    let answer = Okay::new(answer);
    conclude(state, caller, tx, caller.deed("dead_letters.purge", project.0), &answer).await?;
    Ok(answer)
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
    let (skipped, executions) = (Vec::new(), Vec::new());
    Ok(DealtWith { dry_run, matched, dead_letters, skipped, executions })
}
