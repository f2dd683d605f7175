//! GET /projects/{project_id}

use shared::domain::ProjectId;

use super::{access, views::Project};
use crate::{ApiState, answer::Okay, auth::Caller, permission::Action, problem::Problem};

pub(super) async fn get(
    state: &ApiState,
    caller: &Caller,
    id: ProjectId,
) -> Result<Okay<Project>, Problem> {
    let project = access::find(state, caller, id, Action::ReadProject).await?;
    Ok(Okay::new(project.into()))
}
