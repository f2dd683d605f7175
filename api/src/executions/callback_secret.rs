//! POST /projects/{project_id}/callback-secret

use base64::{Engine, prelude::BASE64_STANDARD};
use shared::{
    domain::ProjectId,
    store::{audit, callback, commit},
};

use super::views::CallbackSecret;
use crate::{
    ApiState, answer::Created, auth::Caller, permission::Action, problem::Problem, projects,
    shape::Timestamp,
};

/// How Standard Webhooks writes a secret.
const PREFIX: &str = "whsec_";

pub(super) async fn rotate(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
) -> Result<Created<CallbackSecret>, Problem> {
    projects::find(state, caller, project, Action::ManageCallbackSecret).await?;
    let secret: [u8; 32] = rand::random();
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let (created_at, previous_until) =
        callback::rotate_secret(&mut tx, caller.actor, project, &secret).await?;
    audit::record(&mut tx, caller.deed("callback_secret.rotate", project.0)).await?;
    commit(tx).await?;
    Ok(Created::new(CallbackSecret {
        secret: format!("{PREFIX}{}", BASE64_STANDARD.encode(secret)),
        created_at: created_at.into(),
        previous_until: previous_until.map(Timestamp::from),
    }))
}
