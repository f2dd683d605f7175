//! GET /audit

use shared::{
    domain::{IdCursor, PageSize},
    store::{
        account,
        audit::{self, Filter, Recorded},
    },
};

use super::views::Deed;
use crate::{
    ApiState, answer::Okay, auth::Caller, page::Page, permission::Action, problem::Problem,
};

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    filter: &Filter,
    behind: Option<IdCursor>,
    size: PageSize,
) -> Result<Okay<Page<Deed>>, Problem> {
    let profile = account::profile(&state.db, caller.actor).await?;
    let profile = profile.ok_or_else(Problem::account_gone)?;
    Action::ReadAudit.allow_over_tenant(profile.role)?;
    let rows = audit::list(&state.db, caller.actor.tenant, filter, behind, size).await?;
    Ok(Okay::new(Page::of(rows, size, |row: &Recorded| row.cursor().to_string(), Deed::from)))
}
